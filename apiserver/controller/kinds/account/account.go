// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package account makes the cluster of an account's pods, by which callers reach them
// at addresses of their own choice.
package account

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Unit makes it.
var Unit = engine.Kind{
	Name:  "account",
	Watch: func(w *world.World, changed func(string)) { w.OnAccount(func(key world.Key) { changed(key.String()) }) },
	Build: func(r world.Reader, name string, _ any) (engine.Product, error) {
		key := world.ParseKey(name)
		account, ok := compile.Account(r, key)
		if !ok {
			return engine.Product{Gone: true}, nil
		}
		resources, err := envoy.Account(model.Mesh{TrustDomain: r.Settings().TrustDomain()}, account)
		return engine.Product{Resources: envoy.InView(r.NamespaceView(key.Namespace), resources)}, err
	},
	Closed: func(world.Reader, string, any) (engine.Product, error) { return engine.Product{}, nil },
	Effect: "its pods cannot be called by their addresses",
}
