// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// wholePolicyName is the tag of a rule's counters. Envoy's own ends at the first dot
// of NAMESPACE/POLICY/RULE, and leaves the rest in the metric's name.
const wholePolicyName = `^http\.[^.]+\.rbac\.(?:[^.]+\.)?policy\.(([\s\S]+)\.)(?:shadow_)?(?:allowed|denied)$`

// statsConfig keeps what says whether the proxy works and what it refused; the
// rest would cost tens of kilobytes a Service.
func statsConfig() *metricsv3.StatsConfig {
	keep := []*matcherv3.StringMatcher{
		startsWith("server."),
		startsWith("cluster_manager."),
		startsWith("listener_manager."),
		startsWith("control_plane."),
		startsWith("overload."),
		startsWith("main_thread.watchdog"),
		wholly(`cluster\..*\.(upstream_(cx|rq)_(total|active|connect_fail)|upstream_rq_([1-5]xx|pending_overflow|retry)|membership_(total|healthy)|update_(rejected|failure)|ssl\.(handshake|connection_error|fail_.*))`),
		wholly(`listener\..*\.(downstream_cx_(total|active|overflow)|downstream_global_cx_overflow|no_filter_chain_match|downstream_listener_filter_error|ssl\.(handshake|connection_error|fail_.*|curves\..*|versions\..*))`),
		wholly(`http\..*\.(downstream_rq_(total|active|[1-5]xx)|rds\..*\.update_(rejected|failure|success)|.*rbac\..*)`),
		wholly(`(.*\.)?rbac\..*`),
		wholly(mishapCounters),
		wholly(`tcp\..*\.downstream_cx_(total|no_route)`),
		wholly(`.*(extension_config_discovery|sds)\..*\.(update_rejected|config_fail|update_failure|config_reload)`),
	}
	return &metricsv3.StatsConfig{
		StatsMatcher: &metricsv3.StatsMatcher{
			StatsMatcher: &metricsv3.StatsMatcher_InclusionList{InclusionList: &matcherv3.ListStringMatcher{Patterns: keep}},
		},
		StatsTags: []*metricsv3.TagSpecifier{{
			TagName:  "envoy.rbac_policy_name",
			TagValue: &metricsv3.TagSpecifier_Regex{Regex: wholePolicyName},
		}},
	}
}
