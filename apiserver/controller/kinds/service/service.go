// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package service makes what callers need of a Service: how they reach it, and its
// endpoints. What there is to say to its author is a unit too.
package service

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// name is that of the kind of units.
const name = "service"

// ID is the unit of a Service, whose resources carry out the Routes of its calls.
func ID(key world.Key) unit.ID { return unit.ID{Kind: name, Name: key.String()} }

// problems are what of the Routes of a Service's calls does not act as it is written, by
// the object that says it: with thousands of them none must look at those of all others.
type problems map[world.Reference][]compile.RouteProblem

func newProblems(all []compile.RouteProblem) problems {
	found := problems{}
	for _, p := range all {
		found[p.Route.Reference] = append(found[p.Route.Reference], p)
	}
	return found
}

// Problems are what of an object's Routes of the calls of a Service does not act as it is
// written.
func Problems(r world.Reader, key world.Key, of world.Reference) []compile.RouteProblem {
	found, _ := r.Facts(ID(key)).(problems)
	return found[of]
}

// Unit makes all of a Service but its endpoints.
var Unit = engine.Kind{
	Name:   name,
	Watch:  watch,
	Build:  build,
	Closed: closed,
	Effect: "its addresses refuse",
	Object: Object,
	// Many Routes make a Service large.
	Namespace: func(_ world.Reader, name string) string { return world.ParseKey(name).Namespace },
	SameFacts: func(a, b any) bool { return reflect.DeepEqual(a, b) },
}

// Endpoints makes what changes most often. A Service that cannot be compiled has none.
var Endpoints = engine.Kind{
	Name:  "endpoints",
	Watch: watch,
	Build: func(r world.Reader, name string, _ any) (engine.Product, error) {
		key := world.ParseKey(name)
		service, ok := compile.Service(r, key)
		if !ok {
			return engine.Product{Gone: r.Service(key) == nil}, nil
		}
		resources, err := envoy.ServiceEndpoints(service)
		return engine.Product{Resources: envoy.InView(r.NamespaceView(key.Namespace), resources)}, err
	},
	Closed: func(r world.Reader, name string, _ any) (engine.Product, error) {
		key := world.ParseKey(name)
		service, ok := compile.RefusingService(r, key)
		if !ok {
			return engine.Product{}, nil
		}
		resources, err := envoy.ServiceEndpoints(service)
		return engine.Product{Resources: envoy.InView(r.NamespaceView(key.Namespace), resources)}, err
	},
	Effect: "its addresses refuse",
	Object: Object,
}

// Notices says what the author of a Service must see.
var Notices = engine.Kind{
	Name:  "service-notices",
	Watch: watch,
	Build: func(r world.Reader, name string, _ any) (engine.Product, error) {
		key := world.ParseKey(name)
		if r.Service(key) == nil {
			return engine.Product{Gone: true}, nil
		}
		return engine.Product{Notices: engine.About(*Object(r, name), compile.ServiceNotices(r, key))}, nil
	},
	Effect: "nothing new is said of it",
}

func watch(w *world.World, changed func(string)) {
	w.OnService(func(key world.Key) { changed(key.String()) })
}

func build(r world.Reader, name string, _ any) (engine.Product, error) {
	key := world.ParseKey(name)
	front, ok := compile.Front(r, key)
	if !ok {
		return engine.Product{Gone: r.Service(key) == nil}, nil
	}
	resources, err := envoy.Service(front.Service)
	product := engine.Product{Resources: envoy.InView(front.View, resources)}
	if len(front.Problems) > 0 {
		product.Facts = newProblems(front.Problems)
	}
	return product, err
}

func closed(r world.Reader, name string, _ any) (engine.Product, error) {
	key := world.ParseKey(name)
	service, ok := compile.RefusingService(r, key)
	if !ok {
		return engine.Product{}, nil
	}
	resources, err := envoy.Service(service)
	return engine.Product{Resources: envoy.InView(r.NamespaceView(key.Namespace), resources)}, err
}

// Object is the Service of a unit, nil if it is gone.
func Object(r world.Reader, name string) *corev1.ObjectReference {
	key := world.ParseKey(name)
	service := r.Service(key)
	if service == nil {
		return nil
	}
	return &corev1.ObjectReference{APIVersion: "v1", Kind: world.KindService, Namespace: key.Namespace, Name: key.Name, UID: service.UID}
}
