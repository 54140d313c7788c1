// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/namespace"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/pod"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

var (
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
		engine.RegisterMetrics()
		legacyregistry.MustRegister(batchSeconds, noticesTotal, serviceMishaps, queueLength, wrongAnnotations)
	})
}

func countAnnotations(e *engine.Engine) {
	for label, kind := range map[string]string{world.KindNamespace: namespace.Name, world.KindPod: pod.Name} {
		wrongAnnotations.WithLabelValues(label).Set(float64(e.Noticed(kind, compile.ReasonTrafficAnnotation)))
	}
}
