// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshroute reads MeshRoutes: what they say of routes are intents, which Services
// carry out; what there is to say of them is a report.
package meshroute

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/service"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Name is that of the kind of unit, and of the target of its status.
const Name = "meshroute"

// Unit makes the report on a MeshRoute.
var Unit = engine.Kind{
	Name: Name,
	Watch: func(w *world.World, changed func(string)) {
		w.OnRoutes(func(origin world.Reference) {
			if origin.Kind == Kind {
				changed(origin.Key.String())
			}
		})
	},
	Build:  build,
	Effect: "its status stays",
}

func build(r world.Reader, name string, _ any) (engine.Product, error) {
	origin := Reference(world.ParseKey(name))
	found, ok := compile.JudgeRoutes(r, origin, func(key intent.Key) []compile.RouteProblem { return service.Problems(r, key, origin) })
	if !ok {
		return engine.Product{Gone: true}, nil
	}
	out := &report.Report{UID: found.Origin.UID, Generation: found.Origin.Generation, Accepted: found.Accepted, ResolvedRefs: &found.ResolvedRefs}
	for _, parent := range found.Parents {
		out.Units = append(out.Units, service.ID(parent))
		if r.Failed(service.ID(parent)) != nil {
			out.Accepted = report.Verdict{Reason: report.ReasonInvalid, Message: "Service " + parent.String() + " cannot be compiled, and its addresses refuse"}
		}
	}
	return engine.Product{Report: out}, nil
}
