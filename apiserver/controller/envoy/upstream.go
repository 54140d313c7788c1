// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	inputsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	specifierv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/matcher/v3"
)

// One RDS resource serves the HTTP/1.1 and the HTTP/2 chain of a port, so that
// an edit of its access is one resource. Which cluster a request goes to is not
// in the route then: the chain, chosen by ALPN, leaves the name of the cluster
// in the connection's filter state, and the route looks it up there.
const (
	upstreamState  = "mesh.upstream"
	upstreamPlugin = "upstream"
)

// rememberUpstream is a network filter that notes the cluster of a chain.
func rememberUpstream(cluster string) *listenerv3.Filter {
	return networkFilter("envoy.filters.network.set_filter_state", &setstatev3.Config{
		OnNewConnection: []*commonstatev3.FilterStateValue{{
			Key:        &commonstatev3.FilterStateValue_ObjectKey{ObjectKey: upstreamState},
			FactoryKey: "envoy.string",
			Value: &commonstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
					Specifier: &corev3.DataSource_InlineString{InlineString: cluster},
				}},
			}},
		}},
	})
}

// upstreamByALPN chooses the cluster that rememberUpstream noted.
func upstreamByALPN() *routev3.ClusterSpecifierPlugin {
	clusters := map[string]*xdsmatcherv3.Matcher_OnMatch{}
	for _, c := range []string{ClusterInboundHTTP1, ClusterInboundHTTP2} {
		clusters[c] = &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
			Action: &xdscorev3.TypedExtensionConfig{Name: c, TypedConfig: pack(&specifierv3.ClusterAction{Cluster: c})},
		}}
	}
	return &routev3.ClusterSpecifierPlugin{Extension: extension(upstreamPlugin, &specifierv3.MatcherClusterSpecifier{
		ClusterMatcher: &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{
			MatcherTree: &xdsmatcherv3.Matcher_MatcherTree{
				Input: dataInput("filter_state", &inputsv3.FilterStateInput{Key: upstreamState}),
				TreeType: &xdsmatcherv3.Matcher_MatcherTree_ExactMatchMap{
					ExactMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{Map: clusters},
				},
			},
		}},
	})}
}
