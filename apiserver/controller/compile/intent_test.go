// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"slices"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

var everyCall = []intent.Destination{{Match: model.Match{Kind: model.MatchAny}}}

// accessOf is what an object of some kind says of the workloads of shop.
func accessOf(kind, name string, rules ...intent.Rule) intent.Access {
	return intent.Access{
		Origin: intent.Origin{Reference: intent.Reference{Kind: kind, Key: world.Key{Namespace: "shop", Name: name}}},
		Action: intent.Allow,
		Rules:  rules,
	}
}

// Nothing empty ever admits a caller, whichever kind forgot to say so.
func TestAnEmptyAllowAdmitsNoCaller(t *testing.T) {
	for name, rule := range map[string]intent.Rule{
		"no caller":                  {To: everyCall},
		"a source that names none":   {From: []intent.Source{{}}, To: everyCall},
		"no call":                    {From: []intent.Source{{Authenticated: true}}},
		"broken":                     {From: []intent.Source{{Authenticated: true}}, To: everyCall, Broken: "it cannot be read"},
		"one that does not exist":    {From: []intent.Source{{Namespaces: []string{"gone"}}}, To: everyCall},
		"fields that exclude others": {From: []intent.Source{{Namespaces: []string{"ops"}, ServiceAccounts: []world.Key{{Namespace: "buy", Name: "buyer"}}}}, To: everyCall},
	} {
		w := shopWorld(t, "", nil)
		w.SetAccess(accessOf("TrafficTarget", "empty", rule))
		workload, _, _ := compile.Workload(w.Reader(), w.Views()[0])
		for _, port := range workload.Ports {
			if !port.Access.Closed || len(port.Access.Allow) > 0 {
				t.Errorf("%s: port %d has %+v", name, port.Number, port.Access)
			}
		}
	}
}

// Objects of two kinds may have one name: both act, each is reported on, and one
// that goes leaves the other.
func TestPoliciesOfTwoKindsMeet(t *testing.T) {
	w := shopWorld(t, "", []string{"{action: Allow, rules: [{from: [{serviceAccounts: [{namespace: buy, name: buyer}]}], to: [{all: {}}]}]}"})
	other := accessOf("TrafficTarget", "p0", intent.Rule{Name: "0", From: []intent.Source{{ServiceAccounts: []world.Key{{Namespace: "ops", Name: "admin"}}}}, To: everyCall})
	w.SetAccess(other)
	admits := func(from string) bool {
		workload, _, _ := compile.Workload(w.Reader(), w.Views()[0])
		return passes(workload, call{from, 9090, ""})
	}
	if !admits("buy/buyer") || !admits("ops/admin") || admits("buy/thief") {
		t.Error("the policies do not act together")
	}
	_, facts, _ := compile.Workload(w.Reader(), w.Views()[0])
	for _, origin := range w.Policies() {
		report, ok := compile.Policy(w.Reader(), origin, func(string) *compile.Facts { return facts })
		if !ok || !report.Accepted || !slices.Equal(report.Views, w.Views()) {
			t.Errorf("%s: %+v", origin, report)
		}
	}
	w.DeleteAccess(other.Origin.Reference)
	if !admits("buy/buyer") || admits("ops/admin") {
		t.Error("the policy that is gone acts, or took the other along")
	}
}
