// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package proxy makes the proxies that may connect.
package proxy

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Unit makes them: a proxy in each meshed pod.
var Unit = engine.Kind{
	Name:  "proxy",
	Watch: func(w *world.World, changed func(string)) { w.OnProxy(func(id model.ProxyID) { changed(id.String()) }) },
	Build: func(r world.Reader, name string, _ any) (engine.Product, error) {
		proxy, ok := r.Proxy(model.ParseProxyID(name))
		if !ok {
			return engine.Product{Gone: true}, nil
		}
		return engine.Product{Proxy: &proxy}, nil
	},
	Effect: "it is what it was",
}
