// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"time"

	xdsv3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	statsinputv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/stats/v3"
	otelv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/stat_sinks/open_telemetry/v3"
)

// auditFlush is how often a proxy pushes what it has counted.
const auditFlush = 10 * time.Second

// auditCounters are the statistics of shadow rules. They and mishapCounters go to
// the control plane; all others stay, so that a proxy without Audit policies and
// mishaps pushes nothing of substance.
const auditCounters = `.*rbac\.audit_(deny|allow)\..*shadow_(allowed|denied)`

// auditSink pushes the counters of Audit policies and of mishaps to the control
// plane, as deltas, over the cluster that configuration comes by.
func auditSink() *metricsv3.StatsSink {
	return &metricsv3.StatsSink{
		Name: "envoy.stat_sinks.open_telemetry",
		ConfigType: &metricsv3.StatsSink_TypedConfig{TypedConfig: pack(&otelv3.SinkConfig{
			ProtocolSpecifier: &otelv3.SinkConfig_GrpcService{GrpcService: &corev3.GrpcService{
				TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: clusterXDS}},
				Timeout:         dur(5 * time.Second),
			}},
			ReportCountersAsDeltas:   true,
			ReportHistogramsAsDeltas: true,
			EmitTagsAsAttributes:     no(),
			UseTagExtractedName:      no(),
			CustomMetricConversions:  dropAllBut(auditCounters + "|" + mishapCounters),
		})},
	}
}

// dropAllBut drops the statistics whose whole name an expression does not match.
func dropAllBut(expression string) *xdsmatcherv3.Matcher {
	name := &xdsv3.TypedExtensionConfig{Name: "name", TypedConfig: pack(&statsinputv3.StatFullNameMatchInput{})}
	matches := &xdsmatcherv3.Matcher_MatcherList_Predicate{MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{
		SinglePredicate: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate{
			Input: name,
			Matcher: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch{
				ValueMatch: &xdsmatcherv3.StringMatcher{MatchPattern: &xdsmatcherv3.StringMatcher_SafeRegex{
					SafeRegex: &xdsmatcherv3.RegexMatcher{Regex: expression, EngineType: &xdsmatcherv3.RegexMatcher_GoogleRe2{GoogleRe2: &xdsmatcherv3.RegexMatcher_GoogleRE2{}}},
				}},
			},
		},
	}}
	return &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherList_{MatcherList: &xdsmatcherv3.Matcher_MatcherList{
		Matchers: []*xdsmatcherv3.Matcher_MatcherList_FieldMatcher{{
			Predicate: &xdsmatcherv3.Matcher_MatcherList_Predicate{MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_NotMatcher{NotMatcher: matches}},
			OnMatch: &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
				Action: &xdsv3.TypedExtensionConfig{Name: "drop", TypedConfig: pack(&otelv3.SinkConfig_DropAction{})},
			}},
		}},
	}}}
}
