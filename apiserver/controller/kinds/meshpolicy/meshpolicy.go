// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshpolicy reports on MeshPolicies.
package meshpolicy

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Name is that of the kind of unit.
const Name = "meshpolicy"

// Unit makes the report on a MeshPolicy, *compile.Report. Workloads carry it out.
var Unit = engine.Kind{
	Name:   Name,
	Watch:  watch,
	Build:  build,
	Closed: closed,
	Effect: "its workloads admit no caller",
}

func watch(w *world.World, changed func(string)) {
	w.OnPolicy(func(origin world.Reference) {
		if origin.Kind == Kind {
			changed(origin.Key.String())
		}
	})
}

func build(r world.Reader, name string, _ any) (engine.Product, error) {
	report, ok := compile.Policy(r, Reference(world.ParseKey(name)), func(view string) *compile.Facts { return workload.Facts(r, view) })
	if !ok {
		return engine.Product{Gone: true}, nil
	}
	carrying := make([]unit.ID, len(report.Views))
	for i, view := range report.Views {
		carrying[i] = workload.ID(view)
	}
	return engine.Product{Report: &report, Carrying: carrying}, nil
}

func closed(r world.Reader, name string, _ any) (engine.Product, error) {
	policy := r.Policy(Reference(world.ParseKey(name)))
	if policy == nil {
		return engine.Product{Gone: true}, nil
	}
	return engine.Product{Report: &compile.Report{
		UID:        policy.Origin.UID,
		Generation: policy.Origin.Generation,
		Reason:     compile.ReasonInvalid,
		Message:    "the policy cannot be compiled; the workloads that it may speak of admit no caller",
	}}, nil
}
