// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"slices"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

const floodWorkloads = 10

// flooded has a namespace with more than fits in a step, and a neighbour.
func flooded(t *testing.T) *testEngine {
	t.Helper()
	e := newTestEngine()
	e.setRoots(testRoots)
	e.StepBytes = 1
	for i := range floodWorkloads {
		e.World.SetPod(meshedPod(i))
	}
	for i := range 5 {
		worldtest.Set(e.World, floodPolicy(i, 1))
	}
	neighbour := meshedPod(floodWorkloads)
	neighbour.Namespace = "neighbour"
	e.World.SetPod(neighbour)
	e.step(t.Context())
	if e.Waits() {
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
	flood, neighbour := meshpolicy.Reference(world.Key{Namespace: "shop", Name: "flood-0"}), originOf(neighbourPolicy(2))
	worldtest.Set(e.World, floodPolicy(0, 2))
	worldtest.Set(e.World, neighbourPolicy(2))
	first := e.step(t.Context())
	if reports(first)[neighbour] == nil || reports(first)[flood] != nil {
		t.Errorf("the first step reports on %v, want the neighbour's alone", slices.Collect(maps.Keys(reports(first))))
	}
	steps := 1
	for e.Waits() {
		out := e.step(t.Context())
		if steps++; steps > floodWorkloads+1 {
			t.Fatal("what waits is never done")
		}
		if (reports(out)[flood] != nil) == e.Waits() {
			t.Errorf("step %d: reported %v while some workloads wait: %v", steps, reports(out)[flood] != nil, e.Waits())
		}
	}
	full := flooded(t)
	worldtest.Set(full.World, floodPolicy(0, 2))
	worldtest.Set(full.World, neighbourPolicy(2))
	full.StepBytes = 1 << 30
	full.step(t.Context())
	if !maps.Equal(e.versions, full.versions) {
		t.Error("step by step the resources are others than all at once")
	}
}

// Whoever edits without end does not keep any of his workloads from its turn.
func TestAnEndlessFloodReachesEachWorkload(t *testing.T) {
	e := flooded(t)
	reached := map[string]struct{}{}
	for generation := int64(2); generation < 2+2*floodWorkloads; generation++ {
		worldtest.Set(e.World, floodPolicy(0, generation))
		for _, r := range e.step(t.Context()).Set {
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
	worldtest.Set(e.World, floodPolicy(0, 2))
	added := meshedPod(floodWorkloads + 1)
	e.World.SetPod(added)
	e.step(t.Context())
	view := viewOf(t, e.World, added.Labels["app"])
	if _, ok := e.units[workload.ID(view)]; !ok || !e.Waits() {
		t.Errorf("the new workload is compiled: %v; others wait: %v", ok, e.Waits())
	}
}

func originOf(policy *v1alpha1.MeshPolicy) world.Reference {
	return meshpolicy.Reference(world.Key{Namespace: policy.Namespace, Name: policy.Name})
}
