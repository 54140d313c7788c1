// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Between its deletion and its making anew there is no MeshConfig, and the
// certificates that are out keep their trust domain.
func TestDeletedConfigGivesDefaultsButKeepsTheTrustDomain(t *testing.T) {
	w := world.New("first.example")
	if got := w.Reader().Settings().TrustDomain(); got != "first.example" {
		t.Errorf("the trust domain is %q before there is a MeshConfig", got)
	}
	config := &v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	config.Spec.Certificate.TrustDomain = "mesh.example"
	config.Spec.Traffic.Access = v1alpha1.AccessDefaultDeny
	w.SetConfig(config)
	w.DeleteConfig(world.Key{Name: "default"})
	settings := w.Reader().Settings()
	if settings.TrustDomain() != "mesh.example" || settings.CertificateLifetime() != v1alpha1.DefaultCertificateLifetime || settings.DefaultDeny() {
		t.Errorf("trust domain %s, lifetime %v, default deny %v", settings.TrustDomain(), settings.CertificateLifetime(), settings.DefaultDeny())
	}
}
