// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshconfig reports on the MeshConfig in use.
package meshconfig

import (
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/common"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Name is that of the kind of unit.
const Name = "meshconfig"

// Report says that a MeshConfig is in use, or why its settings cannot be compiled.
type Report struct {
	Config   *v1alpha1.MeshConfig
	Unusable error
}

// Unit makes the Report. It is told once everything was made with the MeshConfig.
var Unit = engine.Kind{
	Name:  Name,
	Watch: func(_ *world.World, changed func(string)) { changed("") },
	Build: func(r world.Reader, _ string, _ any) (engine.Product, error) {
		config := r.Config()
		if config == nil {
			return engine.Product{}, nil
		}
		return engine.Product{Report: Report{config, r.Failed(common.ID)}, Last: true}, nil
	},
	Effect: "its status stays",
}
