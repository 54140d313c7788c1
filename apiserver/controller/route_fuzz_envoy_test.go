//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestEnvoyAcceptsASampleOfTheFuzzedRoutes gives what Routes compile to, many at once,
// to the real Envoy: a proxy that refuses one goes on with the routes that it has.
func TestEnvoyAcceptsASampleOfTheFuzzedRoutes(t *testing.T) {
	bootstrap, err := envoy.Bootstrap(envoy.BootstrapParams{
		XDSHost: "127.0.0.1", XDSPort: sidecar.PortXDS, XDSServerName: sidecar.ControlPlaneName("mesh-system"),
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := envoy.BootstrapFiles()
	if err != nil {
		t.Fatal(err)
	}
	pod := envoytest.NewPod(t, files.Identity, files.ControlPlaneRoots, files.RefusalBudget)
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string { return routeTexts[random.IntN(len(routeTexts))] }
	resources := map[string]*anypb.Any{}
	for range 500 {
		for _, r := range routeResources(t, text(), text(), random.Uint32(), uint8(random.Uint32())) {
			if r.TypeURL == "type.googleapis.com/envoy.config.route.v3.RouteConfiguration" || r.TypeURL == "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig" {
				resources[r.TypeURL+" "+r.Version] = r.Body
			}
		}
	}
	t.Logf("%d different resources", len(resources))
	config, err := envoytest.Static([]byte(bootstrap), resources)
	if err != nil {
		t.Fatal(err)
	}
	pod.Accepts(t, envoytest.Binary(t), config)
}
