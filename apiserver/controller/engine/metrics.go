// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"sync"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	seconds = metrics.NewHistogramVec(&metrics.HistogramOpts{
		Name:           "mesh_controller_compile_seconds",
		Help:           "How long it took to compile one unit into resources.",
		Buckets:        metrics.ExponentialBuckets(0.00001, 4, 10),
		StabilityLevel: metrics.ALPHA,
	}, []string{"kind"})
	failures = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "mesh_controller_compile_failures_total",
		Help:           "Units that could not be compiled and refuse instead.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"kind"})
	registerOnce sync.Once
)

// RegisterMetrics registers the metrics of this package, once.
func RegisterMetrics() {
	registerOnce.Do(func() { legacyregistry.MustRegister(seconds, failures) })
}

// timed observes how long a unit took that began at start. The count of the
// histogram is the number of units compiled.
func timed(kind string, start time.Time) {
	seconds.WithLabelValues(kind).Observe(time.Since(start).Seconds())
}
