// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"math"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"k8s.io/component-base/metrics/testutil"

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
	pushes := [][]int64{{math.MaxInt64, 1}, {math.MaxInt64, math.MaxInt64, 3}, {math.MinInt64, -1}, {math.MaxInt64}, {math.MaxInt64}}
	for _, points := range pushes {
		if _, err := server.Export(t.Context(), pushed("http.in/8080.rbac.audit_deny.policy.shop/p/0.shadow_denied", points...)); err != nil {
			t.Fatal(err)
		}
	}
	if got := server.Counts("shop/p").Denied; got != 4*maxPushed {
		t.Errorf("denied is %d, want %d: what each of four pushes may add", got, 4*maxPushed)
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

// TestTwoPushesOfTheLargestNumberMakeTheMetricNoSmaller: Prometheus' counter wraps
// at 2^64, which two pushes of what a pod may write would reach.
func TestTwoPushesOfTheLargestNumberMakeTheMetricNoSmaller(t *testing.T) {
	const policy = "shop/largest"
	server := New(Options{
		View: func(context.Context) (string, error) { return "view", nil },
		Audited: func(string) map[uint16]model.Audit {
			return map[uint16]model.Audit{8080: {DenyPolicies: []string{policy}}}
		},
	})
	push := func(points ...int64) float64 {
		if _, err := server.Export(t.Context(), pushed("http.in/8080.rbac.audit_deny.policy."+policy+"/0.shadow_denied", points...)); err != nil {
			t.Fatal(err)
		}
		value, err := testutil.GetCounterMetricValue(auditRequests.With(labels(policy, "denied")))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	t.Cleanup(func() { server.Forget(policy) })
	for i, want := range []float64{maxPushed, 2 * maxPushed, 3 * maxPushed} {
		if got := push(math.MaxInt64, math.MaxInt64); got != want {
			t.Errorf("after push %d the metric is %v, want %v: no push adds more than a proxy can serve", i+1, got, want)
		}
	}
	server.counts[policy] = Counts{Denied: math.MaxInt64 - 5}
	for range 3 {
		if got := push(math.MaxInt64); got != 3*maxPushed+5 {
			t.Errorf("the metric is %v, want %v: it stays where the count stays", got, float64(3*maxPushed+5))
		}
	}
}
