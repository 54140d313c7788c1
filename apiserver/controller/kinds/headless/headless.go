// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package headless makes the clusters and routes of a headless Service, to which the
// outbound listener leads its callers.
package headless

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/service"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// ID is the unit of a Service.
func ID(key world.Key) unit.ID { return unit.ID{Kind: name, Name: key.String()} }

const name = "headless"

// Unit makes them. If they cannot be made there are none: its chains refuse.
var Unit = engine.Kind{
	Name:  name,
	Watch: func(w *world.World, changed func(string)) { w.OnService(func(key world.Key) { changed(key.String()) }) },
	Build: func(r world.Reader, name string, _ any) (engine.Product, error) {
		key := world.ParseKey(name)
		found, ok := compile.Headless(r, key)
		if !ok {
			return engine.Product{Gone: r.Service(key) == nil}, nil
		}
		resources, err := envoy.Headless(model.Mesh{TrustDomain: r.Settings().TrustDomain()}, found)
		return engine.Product{Resources: envoy.InView(r.NamespaceView(key.Namespace), resources)}, err
	},
	Closed: func(world.Reader, string, any) (engine.Product, error) { return engine.Product{}, nil },
	Effect: "its endpoints refuse",
	Object: service.Object,
}
