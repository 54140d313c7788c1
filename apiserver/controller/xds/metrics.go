// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	connected = metrics.NewGauge(&metrics.GaugeOpts{
		Name: "mesh_xds_connected_streams", Help: "Streams of proxies that are open.",
		StabilityLevel: metrics.ALPHA,
	})
	sendQueue = metrics.NewGauge(&metrics.GaugeOpts{
		Name: "mesh_xds_send_queue", Help: "Streams with a change that waits to be sent.",
		StabilityLevel: metrics.ALPHA,
	})
	pushes = metrics.NewCounterVec(&metrics.CounterOpts{
		Name: "mesh_xds_pushes_total", Help: "Responses sent to proxies.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"type"})
	pushedResources = metrics.NewCounterVec(&metrics.CounterOpts{
		Name: "mesh_xds_resources_total", Help: "Resources sent to proxies, and removals (result removed).",
		StabilityLevel: metrics.ALPHA,
	}, []string{"type", "result"})
	pushedBytes = metrics.NewCounterVec(&metrics.CounterOpts{
		Name: "mesh_xds_bytes_total", Help: "Encoded bytes of the resources sent to proxies.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"type"})
	acks = metrics.NewCounterVec(&metrics.CounterOpts{
		Name: "mesh_xds_acks_total", Help: "Responses that proxies accepted.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"type"})
	nacks = metrics.NewCounterVec(&metrics.CounterOpts{
		Name: "mesh_xds_nacks_total", Help: "Responses that proxies refused.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"type"})
	refusals = metrics.NewCounterVec(&metrics.CounterOpts{
		Name: "mesh_xds_refused_streams_total", Help: "Streams that were refused: certificate, node, account, unknown or configuration.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"reason"})
	pushSeconds = metrics.NewHistogram(&metrics.HistogramOpts{
		Name: "mesh_xds_push_duration_seconds", Help: "From a change to the end of its send, per stream.",
		Buckets:        []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5},
		StabilityLevel: metrics.ALPHA,
	})
)

func init() {
	legacyregistry.MustRegister(connected, sendQueue, pushes, pushedResources, pushedBytes, acks, nacks, refusals, pushSeconds)
}

// meters are the counters of one kind. A Server looks them up once, since to find
// them by their labels costs more than to count.
type meters struct {
	pushes, sent, removed, bytes, acks, nacks metrics.CounterMetric
}

func metersOf(k kind) meters {
	label := k.label()
	return meters{
		pushes:  pushes.WithLabelValues(label),
		sent:    pushedResources.WithLabelValues(label, "sent"),
		removed: pushedResources.WithLabelValues(label, "removed"),
		bytes:   pushedBytes.WithLabelValues(label),
		acks:    acks.WithLabelValues(label),
		nacks:   nacks.WithLabelValues(label),
	}
}

// count counts a response that was sent.
func (m meters) count(r *response) {
	m.pushes.Inc()
	m.sent.Add(float64(len(r.frames)))
	m.removed.Add(float64(len(r.removed)))
	m.bytes.Add(float64(r.bytes()))
}
