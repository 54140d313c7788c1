// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// How long a caller may take for its ClientHello. Where mutual TLS alone is
// taken the connection is then closed; the time is generous: a late one is not a
// plaintext one. Where some port takes plaintext, a caller who says nothing for
// so long is taken for one in plaintext who waits for the server to speak.
const (
	strictHelloTimeout     = 15 * time.Second
	permissiveHelloTimeout = 5 * time.Second
)

// inboundListener takes every connection that reaches the pod. The chain is
// chosen by original port, TLS and ALPN; where no chain matches, as for plaintext
// at a port that is not Permissive, the connection is refused. It restores the
// original destination but does not hand over to other listeners
// (use_original_dst): those of the outbound side would serve strangers.
func inboundListener(m model.Mesh, w model.Workload, chains Generations) *listenerv3.Listener {
	l := captureListener(ListenerInbound, sidecar.PortInbound)
	l.TrafficDirection = corev3.TrafficDirection_INBOUND
	l.AccessLog = refusedConnections()
	l.ListenerFilters = inboundInspectors(w.Ports)
	l.ListenerFiltersTimeout = dur(strictHelloTimeout)
	if slices.ContainsFunc(w.Ports, func(p model.InboundPort) bool { return p.Permissive }) {
		l.ListenerFiltersTimeout = dur(permissiveHelloTimeout)
		l.ContinueOnListenerFiltersTimeout = true
		l.AccessLog = append(l.AccessLog, inboundMishaps()...)
	}
	l.FilterChains = refuseProxyPorts()
	for _, p := range w.Ports {
		l.FilterChains = append(l.FilterChains, tcpChain(m, w, p, chains[p.Number].Name))
		if p.Protocol.MayBeHTTP() {
			l.FilterChains = append(l.FilterChains, httpChain(m, w, p))
		}
		l.FilterChains = append(l.FilterChains, plaintextChains(m, w, p, chains[p.Number].Plaintext)...)
	}
	return l
}

// inboundInspectors read where a connection was going, and tell TLS from plaintext,
// and which ALPN, by the caller's first bytes. A caller of a server that speaks
// first waits for it, so TLS is not looked for at its port.
func inboundInspectors(ports []model.InboundPort) []*listenerv3.ListenerFilter {
	inspectors := listenerFilters(filters.InboundListener, &tlsinspectorv3.TlsInspector{})
	i := slices.IndexFunc(inspectors, func(f *listenerv3.ListenerFilter) bool { return f.Name == filters.TLSInspector })
	inspectors[i].FilterDisabled = serverFirst(ports)
	return inspectors
}

// serverFirst matches connections to ports whose server speaks first; nil if there
// are none.
func serverFirst(ports []model.InboundPort) *listenerv3.ListenerFilterChainMatchPredicate {
	var off []*listenerv3.ListenerFilterChainMatchPredicate
	for _, p := range ports {
		if p.ServerFirst {
			off = append(off, &listenerv3.ListenerFilterChainMatchPredicate{
				Rule: &listenerv3.ListenerFilterChainMatchPredicate_DestinationPortRange{
					DestinationPortRange: &typev3.Int32Range{Start: int32(p.Number), End: int32(p.Number) + 1},
				},
			})
		}
	}
	switch len(off) {
	case 0:
		return nil
	case 1:
		return off[0]
	default:
		return &listenerv3.ListenerFilterChainMatchPredicate{
			Rule: &listenerv3.ListenerFilterChainMatchPredicate_OrMatch{
				OrMatch: &listenerv3.ListenerFilterChainMatchPredicate_MatchSet{Rules: off},
			},
		}
	}
}

// tcpChain serves connections. Access is in two resources of their own: the
// names that the handshake accepts (SDS) and RBAC (ECDS), which looks when the
// first byte comes. The chain's name changes when access narrows: Envoy then
// ends the connections of the old chain within the drain time.
func tcpChain(m model.Mesh, w model.Workload, p model.InboundPort, generation string) *listenerv3.FilterChain {
	tls := commonTLS()
	tls.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
		ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: inboundName(w, p), SdsConfig: fromADS()},
	}
	return &listenerv3.FilterChain{
		Name:             fmt.Sprintf("in/%d/tcp/%s", p.Number, generation),
		FilterChainMatch: chainMatch(p.Number, sidecar.ALPNTCP),
		TransportSocket:  serverTLS(m, tls),
		Filters:          chainFilters(filters.InboundTCP, inboundName(w, p), inboundTCP(certificateLifetime(m, w), inboundStatPrefix(p))),
	}
}

// httpChain serves requests, which come as HTTP/2 from other proxies whatever
// the application speaks. The ALPN says what the caller carries, and no more.
func httpChain(m model.Mesh, w model.Workload, p model.InboundPort) *listenerv3.FilterChain {
	tls := commonTLS()
	tls.ValidationContextType = rootsAnd([]*tlsv3.SubjectAltNameMatcher{sanOfTrustDomain(m)})
	return &listenerv3.FilterChain{
		Name:             fmt.Sprintf("in/%d/http", p.Number),
		FilterChainMatch: chainMatch(p.Number, sidecar.ALPNHTTP2, sidecar.ALPNHTTP1),
		TransportSocket:  serverTLS(m, tls),
		Filters:          chainFilters(filters.InboundHTTP, "", inboundManager(m, inboundStatPrefix(p), inboundName(w, p))),
	}
}

// plaintextChains are for callers without an identity at a Permissive port; none
// if nobody of them may come in, so that they are refused without a byte.
//
// What they carry is what the port declares. A TCP port takes TLS that is not
// the mesh's for a stream of bytes: the application speaks it, as webhooks do.
// One that admits some callers by their address connects to the application at
// their first byte, when RBAC has looked at it.
func plaintextChains(m model.Mesh, w model.Workload, p model.InboundPort, generation string) []*listenerv3.FilterChain {
	if !p.Permissive {
		return nil
	}
	if p.Protocol.IsHTTP() {
		return []*listenerv3.FilterChain{{
			Name:             fmt.Sprintf("in/%d/plaintext/http", p.Number),
			FilterChainMatch: transportMatch(p.Number, "raw_buffer"),
			Filters:          chainFilters(filters.InboundHTTP, "", inboundManager(m, inboundStatPrefix(p), inboundName(w, p))),
		}}
	}
	admitted := anonymousAdmission(p.Access)
	if admitted == admitsNone {
		return nil
	}
	var chains []*listenerv3.FilterChain
	for _, transport := range []string{"raw_buffer", "tls"} {
		chains = append(chains, &listenerv3.FilterChain{
			Name:             fmt.Sprintf("in/%d/plaintext/%s/%s", p.Number, transport, generation),
			FilterChainMatch: transportMatch(p.Number, transport),
			Filters:          chainFilters(filters.InboundTCP, inboundName(w, p), plaintextTCP(certificateLifetime(m, w), inboundStatPrefix(p), admitted == admitsSome)),
		})
	}
	return chains
}

// chainMatch matches every port if port is 0; Envoy prefers the exact one.
func chainMatch(port uint16, alpn ...string) *listenerv3.FilterChainMatch {
	match := transportMatch(port, "tls")
	match.ApplicationProtocols = alpn
	return match
}

func transportMatch(port uint16, transport string) *listenerv3.FilterChainMatch {
	match := &listenerv3.FilterChainMatch{TransportProtocol: transport}
	if port != 0 {
		match.DestinationPort = u32(uint32(port))
	}
	return match
}

func inboundStatPrefix(p model.InboundPort) string { return fmt.Sprintf("in/%d", p.Number) }
