// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	compileSeconds = metrics.NewHistogramVec(&metrics.HistogramOpts{
		Name:           "mesh_controller_compile_seconds",
		Help:           "How long it took to compile one unit into resources.",
		Buckets:        metrics.ExponentialBuckets(0.00001, 4, 10),
		StabilityLevel: metrics.ALPHA,
	}, []string{"kind"})
	compileFailures = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "mesh_controller_compile_failures_total",
		Help:           "Units that could not be compiled and refuse instead.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"kind"})
	batchSeconds = metrics.NewHistogram(&metrics.HistogramOpts{
		Name:           "mesh_controller_batch_seconds",
		Help:           "How long one batch of events took, from taking it to handing the resources over.",
		Buckets:        metrics.ExponentialBuckets(0.0001, 4, 10),
		StabilityLevel: metrics.ALPHA,
	})
	noticesTotal = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "mesh_controller_notices_total",
		Help:           "Warnings about objects without a status of ours, each also an Event, by reason.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"reason"})
	serviceMishaps = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "mesh_service_mishaps_total",
		Help:           "Connections to a Service's port that proxies report not to have carried: closed before their protocol was known, or not HTTP where HTTP is declared.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"namespace", "service", "port", "reason"})
	queueLength = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_controller_queue_length",
		Help:           "Events that wait for the controller.",
		StabilityLevel: metrics.ALPHA,
	})
	wrongAnnotations = metrics.NewGaugeVec(&metrics.GaugeOpts{
		Name:           "mesh_controller_wrong_annotations",
		Help:           "Namespaces and pods whose annotations about traffic do not act as they are written: they cannot be read and count as the strictest, or a pod's may not be that loose.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"kind"})
	registerOnce sync.Once
)

func registerMetrics() {
	registerOnce.Do(func() {
		legacyregistry.MustRegister(compileSeconds, compileFailures, batchSeconds, noticesTotal, serviceMishaps, queueLength, wrongAnnotations)
	})
}

func countAnnotations(wrong map[annotated]string) {
	count := map[string]int{"Namespace": 0, "Pod": 0}
	for about := range wrong {
		count[about.kind()]++
	}
	for kind, n := range count {
		wrongAnnotations.WithLabelValues(kind).Set(float64(n))
	}
}

// timed observes how long a unit took that began at start. The count of the
// histogram is the number of units compiled.
func timed(kind string, start time.Time) {
	compileSeconds.WithLabelValues(kind).Observe(time.Since(start).Seconds())
}
