// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
)

// routes are what objects say of routes, by the object, and the objects by the Service
// whose calls they route.
type routes struct {
	all      *graph.Table[Reference, []intent.Route]
	byParent *graph.Index[Key, Reference]
}

func newRoutes() routes {
	return routes{all: graph.NewTable[Reference, []intent.Route](), byParent: graph.NewIndex[Key, Reference]()}
}

// SetRoutes takes in what an object says of routes, one Route for each parent, when
// that object was created or changed.
func (w *World) SetRoutes(origin Reference, now []intent.Route) {
	old, was := w.routes.all.Get(nil, origin)
	if was && reflect.DeepEqual(old, now) {
		// Only the status is another.
		return
	}
	w.routes.all.Set(origin, now)
	w.fileRoutes(origin, now, true)
	w.fileRoutes(origin, old, false)
}

// DeleteRoutes forgets an object.
func (w *World) DeleteRoutes(origin Reference) {
	if old, ok := w.routes.all.Get(nil, origin); ok {
		w.routes.all.Delete(origin)
		w.fileRoutes(origin, old, false)
	}
}

func (w *World) fileRoutes(origin Reference, routes []intent.Route, there bool) {
	for i := range routes {
		file(w.routes.byParent, routes[i].Parent, origin, there)
	}
}

// OnRoutes has f called when an object that says something of routes has come or gone.
func (w *World) OnRoutes(f func(origin Reference)) { w.routes.all.OnKey(f) }

// Routes gives what an object says of routes; false if it is not there.
func (r Reader) Routes(origin Reference) ([]intent.Route, bool) {
	return r.w.routes.all.Get(r.record, origin)
}

// RoutesOf gives the Routes of the calls to a Service, sorted by the objects that they
// come from.
func (r Reader) RoutesOf(service Key) []intent.Route {
	origins := r.w.routes.byParent.Of(r.record, service)
	slices.SortFunc(origins, compareReferences)
	var found []intent.Route
	for _, origin := range origins {
		all, _ := r.Routes(origin)
		for _, route := range all {
			if route.Parent == service {
				found = append(found, route)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b intent.Route) int { return cmp.Compare(a.Port, b.Port) })
	return found
}
