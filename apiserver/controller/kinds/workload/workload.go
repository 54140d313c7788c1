// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package workload makes the inbound side of the pods of a view.
package workload

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

const name = "workload"

// ID is the unit of a view.
func ID(view string) unit.ID { return unit.ID{Kind: name, Name: view} }

// Facts are what it says of a view, nil if it could not be compiled.
func Facts(r world.Reader, view string) *compile.Facts {
	facts, _ := r.Facts(ID(view)).(*compile.Facts)
	return facts
}

// Unit makes it. Its memory is envoy.Generations, those of its filter chains; its
// Public is map[uint16]model.Audit, what Audit policies say of its ports.
var Unit = engine.Kind{
	Name:   name,
	Watch:  func(w *world.World, changed func(string)) { w.OnView(changed) },
	Build:  build,
	Closed: closed,
	Effect: "it admits no caller",
	Namespace: func(r world.Reader, view string) string {
		if v := r.View(view); v != nil {
			return v.Namespace
		}
		return ""
	},
	SameFacts: func(a, b any) bool { return a.(*compile.Facts).Same(b.(*compile.Facts)) },
	Remembers: true,
	Hear: func(memory, other any) any {
		own, _ := memory.(envoy.Generations)
		theirs, _ := other.(envoy.Generations)
		return own.Hear(theirs)
	},
}

func build(r world.Reader, view string, memory any) (engine.Product, error) {
	workload, facts, ok := compile.Workload(r, view)
	if !ok {
		return engine.Product{Gone: true}, nil
	}
	product, err := render(r, workload, memory)
	product.Facts = facts
	return product, err
}

func closed(r world.Reader, view string, memory any) (engine.Product, error) {
	workload, ok := compile.ClosedWorkload(r, view)
	if !ok {
		return engine.Product{Gone: true}, nil
	}
	return render(r, workload, memory)
}

func render(r world.Reader, workload model.Workload, memory any) (engine.Product, error) {
	before, _ := memory.(envoy.Generations)
	chains := envoy.NextGenerations(before, workload)
	resources, err := envoy.Workload(compile.Mesh(r), workload, r.Roots(), chains)
	product := engine.Product{Resources: resources, Memory: chains}
	if audits := auditsOf(workload); len(audits) > 0 {
		product.Public = audits
	}
	return product, err
}

// auditsOf are the Audit policies of a workload by inbound port.
func auditsOf(w model.Workload) map[uint16]model.Audit {
	ports := map[uint16]model.Audit{}
	for _, p := range w.Ports {
		if p.Access.Audit != nil {
			ports[p.Number] = model.Audit{DenyPolicies: p.Access.Audit.DenyPolicies, AllowPolicies: p.Access.Audit.AllowPolicies}
		}
	}
	return ports
}
