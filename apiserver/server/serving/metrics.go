// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var notAfter = metrics.NewGauge(&metrics.GaugeOpts{
	Name:           "mesh_serving_certificate_not_after_seconds",
	Help:           "End of life of the certificate that the API and the webhooks are served with, in seconds since the epoch.",
	StabilityLevel: metrics.ALPHA,
})

func init() {
	legacyregistry.MustRegister(notAfter)
}
