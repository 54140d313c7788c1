// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	healthcheckv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// probeAnswer is 200 while the last check of the application went well, else
// 503. It reads the cluster's membership_healthy, so statsConfig keeps that.
func probeAnswer(r ProbeRoute) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name: "envoy.filters.http.health_check/" + probeClusterName(r),
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(&healthcheckv3.HealthCheck{
			PassThroughMode: wrapperspb.Bool(false),
			Headers: []*routev3.HeaderMatcher{
				headerMatcher(":method", wholly("GET|HEAD")),
				headerMatcher(":path", exactly(r.Path)),
			},
			ClusterMinHealthyPercentages: map[string]*typev3.Percent{probeClusterName(r): {Value: 100}},
		})},
	}
}

// addCheck lets Envoy ask the application once a period. One answer decides:
// the thresholds are the kubelet's to count. Nothing else goes to the cluster,
// for which Envoy would ask once a minute (no_traffic_interval).
func addCheck(c *clusterv3.Cluster, r ProbeRoute) error {
	if r.Period < time.Second || r.Timeout < time.Second {
		return fmt.Errorf("probe %s: period %s and timeout %s must be a second or more", r.Path, r.Period, r.Timeout)
	}
	check := &corev3.HealthCheck{
		Interval: dur(r.Period), NoTrafficInterval: dur(r.Period), NoTrafficHealthyInterval: dur(r.Period),
		Timeout:            dur(r.Timeout),
		UnhealthyThreshold: u32(1), HealthyThreshold: u32(1),
		ReuseConnection: wrapperspb.Bool(false),
	}
	switch r.Scheme {
	case ProbeGRPC:
		c.TypedExtensionProtocolOptions = http2Upstream(http2Options())
		check.HealthChecker = &corev3.HealthCheck_GrpcHealthCheck_{GrpcHealthCheck: &corev3.HealthCheck_GrpcHealthCheck{
			ServiceName: strings.TrimPrefix(r.OriginalPath, "/"),
		}}
	default:
		c.TypedExtensionProtocolOptions = nil
		check.HealthChecker = &corev3.HealthCheck_TcpHealthCheck_{TcpHealthCheck: &corev3.HealthCheck_TcpHealthCheck{}}
	}
	c.HealthChecks = []*corev3.HealthCheck{check}
	return nil
}
