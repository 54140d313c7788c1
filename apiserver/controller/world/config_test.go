// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// TestTrustDomainOutlivesTheMeshConfig holds that a reset of the settings renames
// no identity: the next MeshConfig is made with the same trust domain.
func TestTrustDomainOutlivesTheMeshConfig(t *testing.T) {
	w := world.New("mesh.example")
	expect := func(when, want string) {
		t.Helper()
		if got := w.Settings().TrustDomain; got != want {
			t.Errorf("%s: trust domain %q, want %q", when, got, want)
		}
	}
	expect("before there is a MeshConfig", "mesh.example")
	w.SetConfig(&v1alpha1.MeshConfig{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.MeshConfigName},
		Spec:       v1alpha1.MeshConfigSpec{Certificate: v1alpha1.CertificateConfig{TrustDomain: "other.example"}},
	})
	expect("as the MeshConfig says", "other.example")
	w.DeleteConfig(world.Key{Name: v1alpha1.MeshConfigName})
	expect("after its deletion", "mesh.example")
}
