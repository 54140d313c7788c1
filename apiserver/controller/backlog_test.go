// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"slices"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

const floodWorkloads = 10

// flooded has a namespace with more than fits in a step, and a neighbour.
func flooded(t *testing.T) *engine {
	t.Helper()
	e := newEngine("cluster.local")
	e.setRoots(testRoots)
	e.backlog.limit = 1
	for i := range floodWorkloads {
		e.world.SetPod(meshedPod(i))
	}
	for i := range 5 {
		e.world.SetPolicy(floodPolicy(i, 1))
	}
	neighbour := meshedPod(floodWorkloads)
	neighbour.Namespace = "neighbour"
	e.world.SetPod(neighbour)
	e.step(t.Context())
	if e.backlog.waits() {
		t.Fatal("the first step has left something")
	}
	return e
}

func neighbourPolicy(generation int64) *v1alpha1.MeshPolicy {
	policy := policyFor(floodWorkloads, generation)
	policy.Namespace = "neighbour"
	return policy
}

// An edit that is more than a step may do is done in several, of which a
// neighbour's edit waits for none; it is reported on when the last is done.
func TestAFloodDoesNotHoldUpItsNeighbours(t *testing.T) {
	e := flooded(t)
	flood, neighbour := world.Key{Namespace: "shop", Name: "flood-0"}, keyOfPolicy(neighbourPolicy(2))
	e.world.SetPolicy(floodPolicy(0, 2))
	e.world.SetPolicy(neighbourPolicy(2))
	first := e.step(t.Context())
	if first.reports[neighbour] == nil || first.reports[flood] != nil {
		t.Errorf("the first step reports on %v, want the neighbour's alone", slices.Collect(maps.Keys(first.reports)))
	}
	steps := 1
	for e.backlog.waits() {
		out := e.step(t.Context())
		if steps++; steps > floodWorkloads+1 {
			t.Fatal("what waits is never done")
		}
		if (out.reports[flood] != nil) == e.backlog.waits() {
			t.Errorf("step %d: reported %v while some workloads wait: %v", steps, out.reports[flood] != nil, e.backlog.waits())
		}
	}
	full := flooded(t)
	full.world.SetPolicy(floodPolicy(0, 2))
	full.world.SetPolicy(neighbourPolicy(2))
	full.everything = true
	full.step(t.Context())
	if !maps.Equal(e.ledger.versions, full.ledger.versions) {
		t.Error("step by step the resources are others than all at once")
	}
}

// Whoever edits without end does not keep any of his workloads from its turn.
func TestAnEndlessFloodReachesEachWorkload(t *testing.T) {
	e := flooded(t)
	reached := map[string]struct{}{}
	for generation := int64(2); generation < 2+2*floodWorkloads; generation++ {
		e.world.SetPolicy(floodPolicy(0, generation))
		for _, r := range e.step(t.Context()).update.Set {
			reached[r.View] = struct{}{}
		}
	}
	if len(reached) != floodWorkloads {
		t.Errorf("%d of %d workloads have had their turn", len(reached), floodWorkloads)
	}
}

// A workload that has nothing yet is not one that waits: its proxies would be
// told that there is nothing for them.
func TestANewWorkloadNeverWaits(t *testing.T) {
	e := flooded(t)
	e.world.SetPolicy(floodPolicy(0, 2))
	added := meshedPod(floodWorkloads + 1)
	e.world.SetPod(added)
	e.step(t.Context())
	view := viewOf(t, e.world, added.Labels["app"])
	if _, ok := e.ledger.units[unit.ID{Kind: kindWorkload, Name: view}]; !ok || !e.backlog.waits() {
		t.Errorf("the new workload is compiled: %v; others wait: %v", ok, e.backlog.waits())
	}
}

func keyOfPolicy(policy *v1alpha1.MeshPolicy) world.Key {
	return world.Key{Namespace: policy.Namespace, Name: policy.Name}
}
