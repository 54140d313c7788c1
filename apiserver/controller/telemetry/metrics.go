// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"strings"
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	auditRequests = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "mesh_policy_audit_requests_total",
		Help:           "Requests, and connections that are not HTTP, that an Audit policy would have allowed or denied.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"namespace", "policy", "verdict"})
	registerOnce sync.Once
)

func registerMetrics() {
	registerOnce.Do(func() { legacyregistry.MustRegister(auditRequests) })
}

func labels(policy string, verdict string) map[string]string {
	namespace, name, _ := strings.Cut(policy, "/")
	return map[string]string{"namespace": namespace, "policy": name, "verdict": verdict}
}

func observe(policy string, denied bool, n int64) {
	verdict := "allowed"
	if denied {
		verdict = "denied"
	}
	auditRequests.With(labels(policy, verdict)).Add(float64(n))
}

func forget(policy string) {
	auditRequests.Delete(labels(policy, "allowed"))
	auditRequests.Delete(labels(policy, "denied"))
}
