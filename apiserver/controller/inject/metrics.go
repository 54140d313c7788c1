// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// outcome is how the admission of a pod went.
type outcome string

const (
	outcomeInjected   outcome = "injected"
	outcomeUnchanged  outcome = "unchanged"
	outcomeRefused    outcome = "refused"
	outcomeError      outcome = "error"
	outcomeBadRequest outcome = "bad_request"
	outcomeBusy       outcome = "busy"
)

var (
	requests = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "mesh_inject_requests_total",
		Help:           "Admission reviews by outcome: injected, unchanged, refused, error, bad_request, busy (turned away, too many being under way). Every injected pod is sent twice; the second time it is unchanged.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"outcome"})
	duration = metrics.NewHistogram(&metrics.HistogramOpts{
		Name:           "mesh_inject_duration_seconds",
		Help:           "Time from an admission review's arrival to its answer.",
		Buckets:        []float64{.0002, .0005, .001, .002, .005, .01, .05, .25, 1},
		StabilityLevel: metrics.ALPHA,
	})
)

func init() {
	legacyregistry.MustRegister(requests, duration)
}

func observe(result outcome, start time.Time) {
	requests.WithLabelValues(string(result)).Inc()
	duration.Observe(time.Since(start).Seconds())
}
