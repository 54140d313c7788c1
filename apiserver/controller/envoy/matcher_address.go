// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"net/netip"
	"strconv"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	inputsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// byAddress leads each address to the chain of its group, by its port where that
// matters; nil if there is none. An address costs no more than its bytes.
func byAddress(groups []model.DirectGroup) *xdsmatcherv3.Matcher {
	var branches []*xdsmatcherv3.IPMatcher_IPRangeMatcher
	for _, g := range groups {
		branches = append(branches, &xdsmatcherv3.IPMatcher_IPRangeMatcher{
			Ranges:  ranges(g.Addresses),
			OnMatch: inGroup(g),
		})
	}
	if len(branches) == 0 {
		return nil
	}
	return matcherTree(&xdsmatcherv3.Matcher_MatcherTree{
		Input: dataInput("destination_ip", &inputsv3.DestinationIPInput{}),
		TreeType: &xdsmatcherv3.Matcher_MatcherTree_CustomMatch{CustomMatch: &xdscorev3.TypedExtensionConfig{
			Name:        "ip",
			TypedConfig: pack(&xdsmatcherv3.IPMatcher{RangeMatchers: branches}),
		}},
	})
}

// inGroup is what happens at the addresses of a group. A port of which nothing
// is known has no chain, and so goes to the listener's default.
func inGroup(g model.DirectGroup) *xdsmatcherv3.Matcher_OnMatch {
	var otherwise *xdsmatcherv3.Matcher_OnMatch
	if g.Otherwise != nil {
		otherwise = toChain(directChainName(model.DirectPort{Peer: *g.Otherwise}))
	}
	if len(g.Ports) == 0 {
		return otherwise
	}
	ports := map[string]*xdsmatcherv3.Matcher_OnMatch{}
	for _, p := range g.Ports {
		ports[strconv.Itoa(int(p.Number))] = toChain(directChainName(p))
	}
	m := byPort(ports)
	m.OnNoMatch = otherwise
	return toMatcher(m)
}

// refusingProxyPorts refuses the proxy's own ports at every address, and leaves
// the rest to another matcher, which may be nil.
func refusingProxyPorts(otherwise *xdsmatcherv3.Matcher) *xdsmatcherv3.Matcher {
	ports := map[string]*xdsmatcherv3.Matcher_OnMatch{}
	for _, port := range sidecar.ProxyPorts {
		ports[strconv.Itoa(int(port))] = toChain(chainRefuse)
	}
	m := byPort(ports)
	if otherwise != nil {
		m.OnNoMatch = toMatcher(otherwise)
	}
	return m
}

func byPort(ports map[string]*xdsmatcherv3.Matcher_OnMatch) *xdsmatcherv3.Matcher {
	return matcherTree(&xdsmatcherv3.Matcher_MatcherTree{
		Input: dataInput("destination_port", &inputsv3.DestinationPortInput{}),
		TreeType: &xdsmatcherv3.Matcher_MatcherTree_ExactMatchMap{
			ExactMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{Map: ports},
		},
	})
}

func toMatcher(m *xdsmatcherv3.Matcher) *xdsmatcherv3.Matcher_OnMatch {
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Matcher{Matcher: m}}
}

func matcherTree(t *xdsmatcherv3.Matcher_MatcherTree) *xdsmatcherv3.Matcher {
	return &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: t}}
}

func dataInput(name string, config proto.Message) *xdscorev3.TypedExtensionConfig {
	return &xdscorev3.TypedExtensionConfig{Name: name, TypedConfig: pack(config)}
}

// toChain is the action that names a filter chain.
func toChain(name string) *xdsmatcherv3.Matcher_OnMatch {
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
		Action: &xdscorev3.TypedExtensionConfig{Name: name, TypedConfig: pack(wrapperspb.String(name))},
	}}
}

func ranges(addresses []netip.Addr) []*xdscorev3.CidrRange {
	var out []*xdscorev3.CidrRange
	for _, a := range addresses {
		out = append(out, &xdscorev3.CidrRange{AddressPrefix: a.String(), PrefixLen: u32(uint32(a.BitLen()))})
	}
	return out
}
