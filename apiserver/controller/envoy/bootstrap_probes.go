// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// ProbeScheme is how the application is asked.
type ProbeScheme string

// The schemes of a container's httpGet probe, and its other actions.
const (
	ProbeHTTP  ProbeScheme = "HTTP"
	ProbeHTTPS ProbeScheme = "HTTPS"
	ProbeH2C   ProbeScheme = "H2C"
	ProbeGRPC  ProbeScheme = "GRPC"
	ProbeTCP   ProbeScheme = "TCP"
)

// ProbeRoute answers one rewritten probe: a GET of Path on model.PortProbes
// becomes a GET of OriginalPath on Port, and of nothing beside it.
type ProbeRoute struct {
	// Path is /probe/<container>/<liveness|readiness|startup>.
	Path string
	// Port and OriginalPath (with its query, if any) are the container's own.
	Port         uint16
	OriginalPath string
	// Scheme is HTTP if empty. HTTPS is not verified: the kubelet does not either.
	// H2C is HTTP/2 in plaintext, with prior knowledge (RFC 9113, 3.3).
	// For GRPC and TCP Envoy asks the application by itself, for GRPC about the
	// service that OriginalPath names after its slash.
	Scheme ProbeScheme
	// Period and Timeout are those of a GRPC or TCP probe.
	Period, Timeout time.Duration
}

func (r ProbeRoute) checked() bool { return r.Scheme == ProbeGRPC || r.Scheme == ProbeTCP }

func probeListener(p BootstrapParams) *listenerv3.Listener {
	var routes []*routev3.Route
	var checks []*hcmv3.HttpFilter
	for _, r := range p.Probes {
		if r.checked() {
			checks = append(checks, probeAnswer(r))
		} else {
			routes = append(routes, probeRoute(r))
		}
	}
	return staticListener("probes", model.PortProbes, routes, checks...)
}

// probeRoute leaves the headers as the kubelet sends them: they are the probe's.
func probeRoute(r ProbeRoute) *routev3.Route {
	return route(r.Path, exactPath(r.Path), &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: probeClusterName(r)},
		PrefixRewrite:    cmp.Or(r.OriginalPath, "/"),
		Timeout:          dur(0),
	})
}

func probeClusterName(r ProbeRoute) string {
	// A check is the probe's own: its period and service differ from others'.
	if r.checked() {
		return strings.TrimPrefix(r.Path, "/")
	}
	return fmt.Sprintf("probe/%s/%d", cmp.Or(r.Scheme, ProbeHTTP), r.Port)
}

// probeClusters are the applications' ports that probes go to, each once. Each
// probe opens its own connection, as the kubelet's does.
func probeClusters(p BootstrapParams) ([]*clusterv3.Cluster, error) {
	byName := map[string]*clusterv3.Cluster{}
	for _, r := range p.Probes {
		c := staticCluster(probeClusterName(r), socketAddress(p.PodIP, r.Port))
		c.UpstreamBindConfig = inboundSource()
		c.TypedExtensionProtocolOptions = oneRequestAConnection()
		switch r.Scheme {
		case ProbeGRPC, ProbeTCP:
			if err := addCheck(c, r); err != nil {
				return nil, err
			}
		case "", ProbeHTTP:
		case ProbeHTTPS:
			c.TransportSocket = unverifiedTLS()
		case ProbeH2C:
			c.TypedExtensionProtocolOptions = oneRequestAnHTTP2Connection()
		default:
			return nil, fmt.Errorf("probe %s: scheme %q is none of %s, %s, %s, %s and %s", r.Path, r.Scheme, ProbeHTTP, ProbeHTTPS, ProbeH2C, ProbeGRPC, ProbeTCP)
		}
		byName[c.Name] = c
	}
	var out []*clusterv3.Cluster
	for _, c := range byName {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *clusterv3.Cluster) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

func unverifiedTLS() *corev3.TransportSocket {
	return tlsTransport(&tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsParams: &tlsv3.TlsParameters{TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
	}})
}
