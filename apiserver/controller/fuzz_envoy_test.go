//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/types/known/anypb"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/validation"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestEnvoyAcceptsASampleOfTheFuzzedPolicies gives what valid policies compile
// to, many at once, to the real Envoy.
func TestEnvoyAcceptsASampleOfTheFuzzedPolicies(t *testing.T) {
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
	objects := worldtest.Load(t, scenery)
	texts := []string{"/books", "*", "spiffe://cluster.local/ns/a/*", "10.0.0.0/8", `/[a-z]+/\d{1,3}`, "x-user", "GET", `\pL+`, "(?i)é.*"}
	resources, accepted := map[string]*anypb.Any{}, 0
	for seed := uint64(0); accepted < 200; seed++ {
		g := grammar{chance{rand.New(rand.NewPCG(seed, 0))}, texts[seed%uint64(len(texts))]}
		data, err := json.Marshal(g.policy())
		if err != nil {
			t.Fatal(err)
		}
		policy, ok := admitted(t.Context(), data, "bookstore", "fuzzed", func(p *mesh.MeshPolicy) field.ErrorList {
			return validation.ValidateMeshPolicy(p, "mesh-system")
		})
		if !ok {
			continue
		}
		accepted++
		stored := &v1alpha1.MeshPolicy{}
		if err := scheme.Scheme.Convert(policy, stored, nil); err != nil {
			t.Fatal(err)
		}
		e := loadedBut(objects, stored)
		e.setRoots(pod.Roots)
		for _, r := range e.step(t.Context()).Set {
			// What is the same as before is asked once.
			resources[r.Name+" "+r.Version] = r.Body
		}
	}
	config, err := envoytest.Static([]byte(bootstrap), resources)
	if err != nil {
		t.Fatal(err)
	}
	pod.Accepts(t, envoytest.Binary(t), config)
}
