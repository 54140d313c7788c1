// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package common makes what every proxy has.
package common

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// ID is the one unit.
var ID = unit.ID{Kind: "common"}

// Unit makes the resources of every proxy.
var Unit = engine.Kind{
	Name:  ID.Kind,
	Watch: func(_ *world.World, changed func(string)) { changed("") },
	Build: func(r world.Reader, _ string, _ any) (engine.Product, error) {
		resources, err := envoy.Common(r.Roots())
		return engine.Product{Resources: resources}, err
	},
	Effect: "what was sent before stays",
}
