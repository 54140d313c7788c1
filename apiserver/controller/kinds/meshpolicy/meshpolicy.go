// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshpolicy reads MeshPolicies: what they say of access is an intent, which
// workloads carry out; what there is to say of them is a report.
package meshpolicy

import (
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Name is that of the kind of unit, and of the target of its status.
const Name = "meshpolicy"

// ReasonTCPPort is that of the condition DeniesAtFirstByte.
const ReasonTCPPort = "TCPPort"

// Unit makes the report on a MeshPolicy.
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
	origin := Reference(world.ParseKey(name))
	found, ok := compile.Policy(r, origin, func(view string) *compile.Facts { return workload.Facts(r, view) })
	if !ok {
		return engine.Product{Gone: true}, nil
	}
	out := &report.Report{
		UID:        found.UID,
		Generation: found.Generation,
		Accepted:   report.Verdict{True: found.Accepted, Reason: found.Reason, Message: found.Message},
		Anywhere:   r.Policy(origin).Administrators,
	}
	if found.FirstByte != "" {
		out.Own = []report.Condition{{
			Type:    v1alpha1.ConditionDeniesAtFirstByte,
			Verdict: report.Verdict{True: true, Reason: ReasonTCPPort, Message: found.FirstByte},
		}}
	}
	for _, view := range found.Views {
		out.Units = append(out.Units, workload.ID(view))
	}
	return engine.Product{Report: out}, nil
}

func closed(r world.Reader, name string, _ any) (engine.Product, error) {
	policy := r.Policy(Reference(world.ParseKey(name)))
	if policy == nil {
		return engine.Product{Gone: true}, nil
	}
	return engine.Product{Report: &report.Report{
		UID:        policy.Origin.UID,
		Generation: policy.Origin.Generation,
		Accepted: report.Verdict{
			Reason:  report.ReasonInvalid,
			Message: "the policy cannot be compiled; the workloads that it may speak of admit no caller",
		},
	}}, nil
}
