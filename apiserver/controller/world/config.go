// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"reflect"
	"slices"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// Settings are what MeshConfig says about traffic. A value that is not known
// counts as the strictest.
type Settings struct {
	// TrustDomain is the SPIFFE trust domain, such as "cluster.local".
	TrustDomain string
	// CertificateLifetime is the life of a workload certificate.
	CertificateLifetime time.Duration
	// DefaultDeny closes every port that no Allow policy opens.
	DefaultDeny bool
	// HideNamespaces makes namespaces of the mesh visible to themselves alone.
	HideNamespaces bool
	// Permissive lets workloads take plaintext.
	Permissive bool
	// PodsMayLoosenMTLS and PodsMayLoosenAccess let annotations of pods be less
	// strict than their namespace.
	PodsMayLoosenMTLS, PodsMayLoosenAccess bool
	// DecodeSlashes makes slashes of those that are percent-encoded.
	DecodeSlashes bool
	// TLS12 lets callers come by TLS 1.2.
	TLS12 bool
	// RefuseUnmeshed keeps meshed callers from endpoints outside the mesh.
	RefuseUnmeshed bool
	// RefuseEgress keeps them from addresses that no Service names.
	RefuseEgress bool
}

// SetConfig takes in the MeshConfig that counts, the one named "default".
func (w *World) SetConfig(config *v1alpha1.MeshConfig) {
	if config.Name != v1alpha1.MeshConfigName {
		return
	}
	old := w.config
	if old != nil && old.UID == config.UID && old.Generation == config.Generation {
		return
	}
	if old == nil || !reflect.DeepEqual(old.Spec, config.Spec) {
		w.dirty.All = true
	}
	w.config, w.restrictedNames = config, nil
	if domain := config.Spec.Certificate.TrustDomain; domain != "" {
		w.trustDomain = domain
	}
}

// Config gives the MeshConfig in use, nil if there is none. Another pointer is
// another generation.
func (w *World) Config() *v1alpha1.MeshConfig { return w.config }

// DeleteConfig goes back to the defaults: that is what deletion means. The trust
// domain stays, since every certificate that is out has it; the MeshConfig that
// is made anew says the same.
func (w *World) DeleteConfig(key Key) {
	if key.Name == v1alpha1.MeshConfigName && w.config != nil {
		w.config, w.restrictedNames = nil, nil
		w.dirty.All = true
	}
}

// Settings gives what MeshConfig says, or, without one, its defaults.
func (w *World) Settings() Settings {
	settings := Settings{TrustDomain: w.trustDomain, CertificateLifetime: v1alpha1.DefaultCertificateLifetime}
	if w.config == nil {
		return settings
	}
	spec := &w.config.Spec
	if lifetime := spec.Certificate.Lifetime; lifetime != nil {
		settings.CertificateLifetime = lifetime.Duration
	}
	settings.DefaultDeny = unlike(spec.Traffic.Access, v1alpha1.AccessOpen)
	settings.HideNamespaces = unlike(spec.Traffic.Visibility, v1alpha1.VisibilityMesh)
	settings.Permissive = spec.Traffic.MTLS == v1alpha1.MTLSPermissive
	settings.PodsMayLoosenMTLS = slices.Contains(spec.Traffic.PodsMayLoosen, v1alpha1.TrafficAxisMTLS)
	settings.PodsMayLoosenAccess = slices.Contains(spec.Traffic.PodsMayLoosen, v1alpha1.TrafficAxisAccess)
	settings.DecodeSlashes = spec.Traffic.EscapedSlashes == v1alpha1.EscapedSlashesDecode
	settings.TLS12 = spec.Traffic.MinimumTLSVersion == v1alpha1.TLSVersion12
	settings.RefuseUnmeshed = unlike(spec.Traffic.Unmeshed, v1alpha1.UnmeshedAllow)
	settings.RefuseEgress = unlike(spec.Traffic.Egress, v1alpha1.EgressPassthrough)
	return settings
}

// unlike tells whether a value is set and differs from the permissive default.
func unlike[T ~string](value, permissive T) bool {
	return value != "" && value != permissive
}
