// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var enabled = metrics.NewGaugeVec(&metrics.GaugeOpts{
	Name:           "mesh_admission_plugin_enabled",
	Help:           "1 if the admission plugin looks at writes of mesh resources, 0 if it was switched off or the host does not allow it.",
	StabilityLevel: metrics.ALPHA,
}, []string{"plugin"})

func init() {
	legacyregistry.MustRegister(enabled)
}
