// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func TestNameThatAnotherServerHasRecordedIsTaken(t *testing.T) {
	onlyBuyer := model.Access{Closed: true, Allow: rule(from(buyer), model.MatchAny)}
	onlyThief := model.Access{Closed: true, Allow: rule(from(thief), model.MatchAny)}
	both := model.Access{Closed: true, Allow: rule(from(buyer, thief), model.MatchAny)}
	history := func(accesses ...model.Access) Generations {
		var g Generations
		for _, access := range accesses {
			g = NextGenerations(g, onePort(access))
		}
		return g
	}
	name := func(accesses ...model.Access) string { return history(accesses...)[9090].Name }
	fresh := "a name of its own"
	for _, c := range []struct {
		name       string
		here       []model.Access
		there      []model.Access
		afterwards model.Access
		want       string
	}{
		{"of the same access", []model.Access{onlyThief, both}, []model.Access{onlyBuyer, both}, both, name(onlyBuyer)},
		{"of an access that comes later here", []model.Access{onlyThief}, []model.Access{onlyBuyer, both}, both, name(onlyBuyer)},
		{"of another access", []model.Access{onlyThief, both}, []model.Access{onlyBuyer, both}, onlyThief, name(onlyThief, both, onlyThief)},
		{"which is the one that is here", []model.Access{onlyBuyer, both}, []model.Access{onlyBuyer, both}, both, name(onlyBuyer)},
		{"not of a chain that admitted more here", []model.Access{onlyBuyer, both, onlyBuyer, both}, []model.Access{onlyBuyer, both}, both, fresh},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard := history(c.here...).Hear(restarted(t, history(c.there...)))
			after := NextGenerations(heard, onePort(c.afterwards))
			got := after[9090].Name
			if c.want == fresh {
				if got == name(c.here...) || got == name(c.there...) {
					t.Errorf("the name is %s, want a new one", got)
				}
			} else if got != c.want {
				t.Errorf("the name is %s, want %s", got, c.want)
			}
			if again := NextGenerations(after, onePort(c.afterwards)); again[9090].Name != got {
				t.Errorf("the next compilation names it %s instead of %s", again[9090].Name, got)
			}
		})
	}
}

// A pod that chooses its own access mode must find no chain of the name that it had.
func TestNameOfAnotherAccessModeIsNotTaken(t *testing.T) {
	g := NextGenerations(nil, onePort(model.Access{}))
	access := g[9090].tcp.hash("")
	heard := g.Hear(Generations{9090: {Name: "0badcafe/Open", tcp: lastAccess{recorded: access}, Plaintext: g[9090].Plaintext}})
	if got := NextGenerations(heard, onePort(model.Access{}))[9090].Name; got != g[9090].Name {
		t.Errorf("the name is %s, want %s", got, g[9090].Name)
	}
}
