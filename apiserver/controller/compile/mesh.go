// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package compile says what the mesh means: pure functions from the world to
// the model, one file a source. The same world gives the same values. What
// cannot be compiled denies and says so; it never widens access.
package compile

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Mesh gives what every proxy shares of a workload's side.
func Mesh(w world.Reader) model.Mesh {
	settings := w.Settings()
	return model.Mesh{
		TrustDomain:         settings.TrustDomain(),
		CertificateLifetime: settings.CertificateLifetime(),
		DecodeSlashes:       settings.DecodeSlashes(),
		TLS12:               settings.TLS12(),
	}
}

// Egress says what happens to connections to addresses that no Service names.
func Egress(w world.Reader) model.EgressMode {
	if w.Settings().RefuseEgress() {
		return model.EgressRefuse
	}
	return model.EgressPassthrough
}
