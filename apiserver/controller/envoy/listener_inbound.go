// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// clientHelloTimeout is how long a caller may take for its ClientHello; then
// the connection is closed. It is generous: a late one is not a plaintext one.
const clientHelloTimeout = 15 * time.Second

// inboundListener takes every connection that reaches the pod. The chain is
// chosen by original port and ALPN; where no chain matches, as for plaintext,
// the connection is refused. It restores the original destination but does not
// hand over to other listeners (use_original_dst): those of the outbound side
// would serve strangers.
func inboundListener(m model.Mesh, w model.Workload, chains Generations) *listenerv3.Listener {
	l := captureListener(ListenerInbound, model.PortInbound)
	l.TrafficDirection = corev3.TrafficDirection_INBOUND
	l.ListenerFilters = append(l.ListenerFilters, listenerFilter("envoy.filters.listener.tls_inspector", &tlsinspectorv3.TlsInspector{}))
	l.ListenerFiltersTimeout = dur(clientHelloTimeout)
	l.FilterChains = refuseProxyPorts()
	for _, p := range w.Ports {
		l.FilterChains = append(l.FilterChains, tcpChain(m, w, p, chains[p.Number].Name))
		if p.HTTP {
			l.FilterChains = append(l.FilterChains,
				httpChain(m, w, p, model.ALPNHTTP1, ClusterInboundHTTP1),
				httpChain(m, w, p, model.ALPNHTTP2, ClusterInboundHTTP2))
		}
	}
	return l
}

// tcpChain serves connections. Access is in two resources of their own: the
// names that the handshake accepts (SDS) and RBAC (ECDS), which looks when the
// first byte comes. The chain's name changes when access narrows: Envoy then
// ends the connections of the old chain within the drain time.
func tcpChain(m model.Mesh, w model.Workload, p model.InboundPort, generation string) *listenerv3.FilterChain {
	tls := commonTLS()
	tls.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
		ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: InboundPortName(w.View, p.Number), SdsConfig: fromADS()},
	}
	return &listenerv3.FilterChain{
		Name:             fmt.Sprintf("in/%d/tcp/%s", p.Number, generation),
		FilterChainMatch: chainMatch(p.Number, model.ALPNTCP),
		TransportSocket:  serverTLS(tls),
		Filters: []*listenerv3.Filter{
			discoveredRBAC(inboundDenyName(w.View, p.Number)),
			discoveredRBAC(inboundAllowName(w.View, p.Number)),
			inboundTCP(m, inboundStatPrefix(p)),
		},
	}
}

// httpChain serves requests, which come as HTTP/2 from other proxies whatever
// the application speaks; cluster is that of the application's protocol.
func httpChain(m model.Mesh, w model.Workload, p model.InboundPort, alpn, cluster string) *listenerv3.FilterChain {
	tls := commonTLS()
	tls.ValidationContextType = rootsAnd([]*tlsv3.SubjectAltNameMatcher{sanOfTrustDomain(m)})
	return &listenerv3.FilterChain{
		Name:             fmt.Sprintf("in/%d/%s", p.Number, alpn),
		FilterChainMatch: chainMatch(p.Number, alpn),
		TransportSocket:  serverTLS(tls),
		Filters: []*listenerv3.Filter{
			rememberUpstream(cluster),
			managerFilter(inboundManager(inboundStatPrefix(p), InboundPortName(w.View, p.Number))),
		},
	}
}

// chainMatch matches every port if port is 0; Envoy prefers the exact one.
func chainMatch(port uint16, alpn string) *listenerv3.FilterChainMatch {
	match := &listenerv3.FilterChainMatch{TransportProtocol: "tls", ApplicationProtocols: []string{alpn}}
	if port != 0 {
		match.DestinationPort = u32(uint32(port))
	}
	return match
}

func inboundStatPrefix(p model.InboundPort) string { return fmt.Sprintf("in/%d", p.Number) }
