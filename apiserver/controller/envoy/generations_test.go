// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func TestChainGetsANewNameExactlyWhenTCPAccessNarrows(t *testing.T) {
	admits := func(ids ...string) model.Access {
		access := model.Access{Closed: true}
		for _, id := range ids {
			access.Allow = append(access.Allow, model.Rule{
				Name: "ns/policy/0",
				From: []model.Source{{Authenticated: true, Principals: []model.Principal{{ID: id}}}},
				To:   []model.Match{{Kind: model.MatchTCP}},
			})
		}
		return access
	}
	for _, step := range []struct {
		name    string
		history []model.Access
		renamed bool
	}{
		{"nothing changes", []model.Access{admits("a"), admits("a")}, false},
		{"one more is admitted", []model.Access{admits("a"), admits("a", "b")}, false},
		{"one fewer is admitted", []model.Access{admits("a", "b"), admits("a")}, true},
		{"an open port is closed", []model.Access{{}, admits("a")}, true},
		{"a closed port is opened", []model.Access{admits("a"), {}}, false},
		{"widened, then narrowed to where it began", []model.Access{admits("a"), admits("a", "b"), admits("a")}, true},
		{"the same, a second time", []model.Access{admits(), admits("b"), admits(), admits("b"), admits()}, true},
	} {
		t.Run(step.name, func(t *testing.T) {
			var before, after Generations
			for _, access := range step.history {
				before = after
				after = NextGenerations(before, model.Workload{Ports: []model.InboundPort{{Number: 9000, Access: access}}})
			}
			if renamed := before[9000].Name != after[9000].Name; renamed != step.renamed {
				t.Errorf("renamed: %v, want %v (%s -> %s)", renamed, step.renamed, before[9000].Name, after[9000].Name)
			}
		})
	}
}
