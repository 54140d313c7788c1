// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity"
	"github.com/openservicemesh/mesh-apiserver/apiserver/options"
	listers "github.com/openservicemesh/mesh-apiserver/generated/listers/mesh/v1alpha1"
)

func settingsOf(t *testing.T, configs ...*v1alpha1.MeshConfig) settings {
	t.Helper()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, config := range configs {
		if err := indexer.Add(config); err != nil {
			t.Fatal(err)
		}
	}
	return settings{configs: listers.NewMeshConfigLister(indexer)}
}

func TestNothingIsIssuedOrInjectedWithoutMeshConfig(t *testing.T) {
	unknown := settingsOf(t)
	if got := unknown.certificates(); got != (identity.Settings{}) {
		t.Errorf("got certificate settings %v, want none", got)
	}
	s := &Server{settings: unknown, options: &options.Options{Mesh: &options.MeshOptions{}}}
	if _, err := s.injectSettings(true); err == nil {
		t.Error("got settings for injection, want an error")
	}
}

func TestMeshConfigRulesSidecars(t *testing.T) {
	config := v1alpha1.NewDefaultMeshConfig()
	config.Spec.Certificate.Lifetime = &metav1.Duration{Duration: 2 * time.Hour}
	s := &Server{
		settings: settingsOf(t, config),
		options:  &options.Options{Mesh: &options.MeshOptions{Image: "mesh:1", ProxyImage: "envoy:1", SystemNamespace: "mesh-system"}},
	}
	got, err := s.injectSettings(true)
	if err != nil {
		t.Fatal(err)
	}
	if got.InitImage != "mesh:1" || got.ProxyImage != "envoy:1" || got.CertificateLifetime != 2*time.Hour ||
		got.DrainTime != v1alpha1.DefaultDrainTime || got.Concurrency != *config.Spec.Sidecar.Concurrency {
		t.Errorf("got %+v, want what the flags and MeshConfig say", got)
	}

	config.Spec.Sidecar.Image = "envoy:2"
	s.settings = settingsOf(t, config)
	if got, err := s.injectSettings(true); err != nil || got.ProxyImage != "envoy:2" {
		t.Errorf("got proxy image %q (%v), want MeshConfig's", got.ProxyImage, err)
	}
	if got := s.settings.certificates(); got.TrustDomain != "cluster.local" || got.Lifetime != 2*time.Hour {
		t.Errorf("got certificate settings %v", got)
	}
}
