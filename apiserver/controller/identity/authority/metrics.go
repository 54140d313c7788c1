// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
)

var (
	available = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_identity_root_available",
		Help:           "1 if the root can sign certificates, 0 if it was lost or exchanged.",
		StabilityLevel: metrics.ALPHA,
	})
	notAfter = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_identity_root_not_after_seconds",
		Help:           "End of the life of the root that signs, in seconds since the epoch; 0 without a root.",
		StabilityLevel: metrics.ALPHA,
	})
	renewal = metrics.NewGaugeVec(&metrics.GaugeOpts{
		Name:           "mesh_identity_root_renewal",
		Help:           "1 for the phase of the root's renewal: stable, spreading or retiring; 0 for the others.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"phase"})
	waiting = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_identity_root_renewal_waiting_proxies",
		Help:           "Connected proxies that have not acknowledged the next root; 0 if there is none.",
		StabilityLevel: metrics.ALPHA,
	})
	previousUntil = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_identity_previous_root_until_seconds",
		Help:           "When the previous root ceases to be trusted, in seconds since the epoch; 0 if there is none.",
		StabilityLevel: metrics.ALPHA,
	})
	confirmed = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_database_confirmed",
		Help:           "1 if the database is the one that the mesh has used, 0 if it is another or not known: then proxies are sent nothing new.",
		StabilityLevel: metrics.ALPHA,
	})
)

func init() {
	legacyregistry.MustRegister(available, notAfter, renewal, waiting, previousUntil, confirmed)
}

func observeDatabase(v verdict) {
	confirmed.Set(0)
	if v.fault == nil {
		confirmed.Set(1)
	}
}

// observe keeps the phase that was last known while there is a fault.
func observe(s state) {
	if s.fault != nil {
		available.Set(0)
		notAfter.Set(0)
		return
	}
	available.Set(1)
	notAfter.Set(float64(s.ring.Signing.NotAfter().Unix()))
	for _, phase := range root.Phases {
		renewal.WithLabelValues(string(phase)).Set(0)
	}
	renewal.WithLabelValues(string(s.ring.Phase())).Set(1)
	previousUntil.Set(0)
	if !s.ring.Until.IsZero() {
		previousUntil.Set(float64(s.ring.Until.Unix()))
	}
}
