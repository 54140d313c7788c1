// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	answers = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "mesh_identity_requests_total",
		Help:           "Certificate requests of pods that were answered, by outcome (Issue, Deny) and, for denials, reason.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"outcome", "reason"})
	retries = metrics.NewCounter(&metrics.CounterOpts{
		Name:           "mesh_identity_retries_total",
		Help:           "Looks at a certificate request that ended without an answer.",
		StabilityLevel: metrics.ALPHA,
	})
	duration = metrics.NewHistogram(&metrics.HistogramOpts{
		Name:           "mesh_identity_answer_duration_seconds",
		Help:           "Time from taking up a certificate request to its answer, without the tries that failed.",
		Buckets:        []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		StabilityLevel: metrics.ALPHA,
	})
)

func init() {
	legacyregistry.MustRegister(answers, retries, duration)
}

func observe(v Verdict, took time.Duration) {
	answers.WithLabelValues(string(v.Outcome), v.Reason).Inc()
	duration.Observe(took.Seconds())
}
