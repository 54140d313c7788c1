// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func TestInboundTCPEndsWithTheCertificateOrAfterADay(t *testing.T) {
	for lifetime, want := range map[time.Duration]time.Duration{
		0:                   time.Hour,
		time.Hour:           time.Hour,
		2 * time.Hour:       2 * time.Hour,
		24 * time.Hour:      24 * time.Hour,
		91 * 24 * time.Hour: 24 * time.Hour,
	} {
		proxy := inboundTCP(certificateLifetime(model.Mesh{CertificateLifetime: lifetime}, model.Workload{}), "in/1")
		if got := proxy.GetMaxDownstreamConnectionDuration().AsDuration(); got != want {
			t.Errorf("certificates live %s: a connection lives %s, want %s", lifetime, got, want)
		}
	}
}

// A certificate's life is bounded by the setting of now and by that of the day
// on which the pod was made.
func TestAPodsConnectionsEndWithItsOwnCertificatesHoweverTheLifetimeIsChanged(t *testing.T) {
	old := model.Workload{CertificateLifetime: 2 * time.Hour}
	for now, want := range map[time.Duration]time.Duration{
		time.Hour:      time.Hour,
		2 * time.Hour:  2 * time.Hour,
		24 * time.Hour: 2 * time.Hour,
	} {
		if got := certificateLifetime(model.Mesh{CertificateLifetime: now}, old); got != want {
			t.Errorf("the lifetime is %s now: a connection to a pod made with 2h lives %s, want %s", now, got, want)
		}
	}
}
