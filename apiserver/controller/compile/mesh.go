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

// Mesh gives what every proxy shares.
func Mesh(w *world.World) model.Mesh {
	settings := w.Settings()
	mesh := model.Mesh{
		TrustDomain:         settings.TrustDomain,
		Egress:              model.EgressPassthrough,
		CertificateLifetime: settings.CertificateLifetime,
		DecodeSlashes:       settings.DecodeSlashes,
		TLS12:               settings.TLS12,
	}
	if settings.RefuseEgress {
		mesh.Egress = model.EgressRefuse
	}
	return mesh
}
