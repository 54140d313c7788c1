// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	available = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_identity_root_available",
		Help:           "1 if the root can sign certificates, 0 if it was lost or exchanged.",
		StabilityLevel: metrics.ALPHA,
	})
	notAfter = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_identity_root_not_after_seconds",
		Help:           "End of the root's life, in seconds since the epoch; 0 without a root.",
		StabilityLevel: metrics.ALPHA,
	})
)

func init() {
	legacyregistry.MustRegister(available, notAfter)
}

func observe(s state) {
	if s.fault != nil {
		available.Set(0)
		notAfter.Set(0)
		return
	}
	available.Set(1)
	notAfter.Set(float64(s.root.NotAfter().Unix()))
}
