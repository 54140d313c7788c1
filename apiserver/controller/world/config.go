// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"slices"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
)

// settings are what MeshConfig says about traffic, each by itself: a change of one
// makes stale what has read that one.
type settings struct {
	trustDomain         *graph.Cell[string]
	certificateLifetime *graph.Cell[time.Duration]

	defaultDeny, hideNamespaces, permissive, podsMayLoosenMTLS, podsMayLoosenAccess,
	decodeSlashes, tls12, refuseUnmeshed, refuseEgress *graph.Cell[bool]
}

func newSettings(trustDomain string) settings {
	s := settings{
		trustDomain:         graph.NewCell(trustDomain),
		certificateLifetime: graph.NewCell[time.Duration](v1alpha1.DefaultCertificateLifetime),
	}
	for _, cell := range []**graph.Cell[bool]{
		&s.defaultDeny, &s.hideNamespaces, &s.permissive, &s.podsMayLoosenMTLS, &s.podsMayLoosenAccess,
		&s.decodeSlashes, &s.tls12, &s.refuseUnmeshed, &s.refuseEgress,
	} {
		*cell = graph.NewCell(false)
	}
	return s
}

// set takes in what a MeshConfig says; the zero value says nothing.
func (s settings) set(spec *v1alpha1.MeshConfigSpec) {
	lifetime := v1alpha1.DefaultCertificateLifetime
	if spec.Certificate.Lifetime != nil {
		lifetime = spec.Certificate.Lifetime.Duration
	}
	s.certificateLifetime.Set(lifetime)
	s.defaultDeny.Set(unlike(spec.Traffic.Access, v1alpha1.AccessOpen))
	s.hideNamespaces.Set(unlike(spec.Traffic.Visibility, v1alpha1.VisibilityMesh))
	s.permissive.Set(spec.Traffic.MTLS == v1alpha1.MTLSPermissive)
	s.podsMayLoosenMTLS.Set(slices.Contains(spec.Traffic.PodsMayLoosen, v1alpha1.TrafficAxisMTLS))
	s.podsMayLoosenAccess.Set(slices.Contains(spec.Traffic.PodsMayLoosen, v1alpha1.TrafficAxisAccess))
	s.decodeSlashes.Set(spec.Traffic.EscapedSlashes == v1alpha1.EscapedSlashesDecode)
	s.tls12.Set(spec.Traffic.MinimumTLSVersion == v1alpha1.TLSVersion12)
	s.refuseUnmeshed.Set(unlike(spec.Traffic.Unmeshed, v1alpha1.UnmeshedAllow))
	s.refuseEgress.Set(unlike(spec.Traffic.Egress, v1alpha1.EgressPassthrough))
}

// SetConfig takes in the MeshConfig that counts, the one named "default".
func (w *World) SetConfig(config *v1alpha1.MeshConfig) {
	if config.Name != v1alpha1.MeshConfigName {
		return
	}
	old := w.config.Get(nil)
	if old != nil && old.UID == config.UID && old.Generation == config.Generation {
		return
	}
	w.config.Set(config)
	w.settings.set(&config.Spec)
	if domain := config.Spec.Certificate.TrustDomain; domain != "" {
		w.settings.trustDomain.Set(domain)
	}
}

// DeleteConfig goes back to the defaults: that is what deletion means. The trust
// domain stays, since every certificate that is out has it; the MeshConfig that
// is made anew says the same.
func (w *World) DeleteConfig(key Key) {
	if key.Name == v1alpha1.MeshConfigName && w.config.Get(nil) != nil {
		w.config.Set(nil)
		w.settings.set(&v1alpha1.MeshConfigSpec{})
	}
}

// Config gives the MeshConfig in use, nil if there is none. Another pointer is
// another generation.
func (r Reader) Config() *v1alpha1.MeshConfig { return r.w.config.Get(r.record) }

// Settings are what MeshConfig says about traffic, or, without one, its defaults. A
// value that is not known counts as the strictest.
type Settings struct{ r Reader }

// Settings gives them.
func (r Reader) Settings() Settings { return Settings{r} }

// TrustDomain is the SPIFFE trust domain, such as "cluster.local".
func (s Settings) TrustDomain() string { return s.r.w.settings.trustDomain.Get(s.r.record) }

// CertificateLifetime is the life of a workload certificate.
func (s Settings) CertificateLifetime() time.Duration {
	return s.r.w.settings.certificateLifetime.Get(s.r.record)
}

// DefaultDeny closes every port that no Allow policy opens.
func (s Settings) DefaultDeny() bool { return s.r.w.settings.defaultDeny.Get(s.r.record) }

// HideNamespaces makes namespaces of the mesh visible to themselves alone.
func (s Settings) HideNamespaces() bool { return s.r.w.settings.hideNamespaces.Get(s.r.record) }

// Permissive lets workloads take plaintext.
func (s Settings) Permissive() bool { return s.r.w.settings.permissive.Get(s.r.record) }

// PodsMayLoosenMTLS lets annotations of pods be less strict than their namespace.
func (s Settings) PodsMayLoosenMTLS() bool { return s.r.w.settings.podsMayLoosenMTLS.Get(s.r.record) }

// PodsMayLoosenAccess is the same for access.
func (s Settings) PodsMayLoosenAccess() bool {
	return s.r.w.settings.podsMayLoosenAccess.Get(s.r.record)
}

// DecodeSlashes makes slashes of those that are percent-encoded.
func (s Settings) DecodeSlashes() bool { return s.r.w.settings.decodeSlashes.Get(s.r.record) }

// TLS12 lets callers come by TLS 1.2.
func (s Settings) TLS12() bool { return s.r.w.settings.tls12.Get(s.r.record) }

// RefuseUnmeshed keeps meshed callers from endpoints outside the mesh.
func (s Settings) RefuseUnmeshed() bool { return s.r.w.settings.refuseUnmeshed.Get(s.r.record) }

// RefuseEgress keeps them from addresses that no Service names.
func (s Settings) RefuseEgress() bool { return s.r.w.settings.refuseEgress.Get(s.r.record) }

// unlike tells whether a value is set and differs from the permissive default.
func unlike[T ~string](value, permissive T) bool {
	return value != "" && value != permissive
}
