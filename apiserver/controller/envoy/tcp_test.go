// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"
	"time"

	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

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
		var proxy tcpproxyv3.TcpProxy
		if err := inboundTCP(certificateLifetime(model.Mesh{CertificateLifetime: lifetime}, model.Workload{}), "in/1").GetTypedConfig().UnmarshalTo(&proxy); err != nil {
			t.Fatal(err)
		}
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
