// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Headless makes what callers need to reach the endpoints of a headless
// Service: for each port and peer a cluster that connects to where the
// application wanted to go, and routes (HTTP) or a tcp_proxy (TCP). Which
// addresses lead there, Direct says.
func Headless(m model.Mesh, h model.Headless) ([]Resource, error) {
	var out collector
	for _, p := range h.Ports {
		service := model.DirectService{Key: h.Key, Number: p.Number, Protocol: p.Protocol}
		for _, peer := range p.Peers {
			if peer == (model.Peer{}) {
				continue
			}
			name := HeadlessName(service, peer)
			out.add(Encode(name, "", headlessCluster(m, service, p.Opaque, peer)))
			if p.Protocol.IsHTTP() {
				out.add(routesTo(name))
			} else {
				out.add(tcpTo(name))
			}
		}
	}
	return out.result("headless service " + h.Key.String())
}

// headlessCluster has one peer, since a cluster of this type has no metadata by
// which it could tell its endpoints apart.
func headlessCluster(m model.Mesh, s model.DirectService, opaque bool, peer model.Peer) *clusterv3.Cluster {
	c := originalDst(HeadlessName(s, peer))
	c.Metadata = serviceMetadata(s.Key, s.Number)
	if peer.Plaintext {
		c.TypedExtensionProtocolOptions = protocolOptions(s.Protocol)
		c.TransportSocket = rawBuffer()
		return c
	}
	c.TypedExtensionProtocolOptions = protocolOptions(betweenProxies(s.Protocol))
	if opaque {
		c.TypedExtensionProtocolOptions = protocolOptions(s.Protocol)
	}
	c.TransportSocket = accountTLS(m, alpn(s.Protocol, opaque), peer.Account)
	return c
}

func accountTLS(m model.Mesh, alpn string, a model.Account) *corev3.TransportSocket {
	return clientTLS(alpn, []string{model.SPIFFEID(m.TrustDomain, a.Namespace, a.Name)})
}
