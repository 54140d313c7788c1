// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"math"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestNoCountThatAPodSendsIsAnyMoreThanANumber: a pod may send what it likes, and
// a counter that is made smaller would end the server.
func TestNoCountThatAPodSendsIsAnyMoreThanANumber(t *testing.T) {
	server := New(Options{
		View: func(context.Context) (string, error) { return "view", nil },
		Audited: func(string) map[uint16]model.Audit {
			return map[uint16]model.Audit{8080: {DenyPolicies: []string{"shop/p"}}}
		},
	})
	for _, points := range [][]int64{{math.MaxInt64, 1}, {math.MaxInt64, math.MaxInt64, 3}, {math.MinInt64, -1}, {math.MaxInt64}, {math.MaxInt64}} {
		if _, err := server.Export(t.Context(), pushed("http.in/8080.rbac.audit_deny.policy.shop/p/0.shadow_denied", points...)); err != nil {
			t.Fatal(err)
		}
	}
	if got := server.Counts("shop/p").Denied; got != math.MaxInt64 {
		t.Errorf("denied is %d, want the largest number that there is", got)
	}
}

func pushed(name string, points ...int64) *collector.ExportMetricsServiceRequest {
	sum := &metrics.Sum{AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA}
	for _, n := range points {
		sum.DataPoints = append(sum.DataPoints, &metrics.NumberDataPoint{Value: &metrics.NumberDataPoint_AsInt{AsInt: n}})
	}
	return &collector.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{ScopeMetrics: []*metrics.ScopeMetrics{{
		Metrics: []*metrics.Metric{{Name: name, Data: &metrics.Metric_Sum{Sum: sum}}},
	}}}}}
}
