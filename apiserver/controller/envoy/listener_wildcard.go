// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// wildcardListeners are the unbound listeners of a port at which headless
// Services have endpoints, one for each family in which they have some. Envoy
// prefers a listener of the exact address; and this one to the outbound
// listener, whose default it therefore repeats.
func wildcardListeners(m model.Mesh, d model.Direct) ([]Resource, error) {
	if slices.Contains(model.ProxyPorts, d.Port) {
		return nil, nil
	}
	var out collector
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		groups := ofFamily(any, d.Groups)
		if !slices.ContainsFunc(groups, needsWildcard) {
			continue
		}
		name := WildcardListenerName(any, d.Port)
		out.add(Encode(name, "", &listenerv3.Listener{
			Name:                          name,
			Address:                       socketAddress(any.String(), d.Port),
			BindToPort:                    no(),
			TrafficDirection:              corev3.TrafficDirection_OUTBOUND,
			PerConnectionBufferLimitBytes: u32(bufferLimit),
			FilterChains:                  chainsOf(groups),
			FilterChainMatcher:            byAddress(groups),
			DefaultFilterChain:            unknownDestination(m.Egress),
		}))
	}
	return out.resources, out.err
}

// ofFamily keeps the addresses of a family.
func ofFamily(any netip.Addr, groups []model.DirectGroup) []model.DirectGroup {
	var out []model.DirectGroup
	for _, g := range groups {
		g.Addresses = slices.DeleteFunc(slices.Clone(g.Addresses), func(a netip.Addr) bool { return a.Is4() != any.Is4() })
		if len(g.Addresses) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// needsWildcard tells the groups that differ from port to port. The others are
// known to the outbound listener.
func needsWildcard(g model.DirectGroup) bool { return g.Service != nil || g.Peer.Plaintext }

// unknownDestination is the default chain for an address that nothing names;
// nil refuses.
func unknownDestination(egress model.EgressMode) *listenerv3.FilterChain {
	if egress != model.EgressPassthrough {
		return nil
	}
	return chain(ClusterPassthrough, networkFilter(tcpProxyFilter, tcpProxy(ClusterPassthrough, ClusterPassthrough)))
}
