// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// Two servers with the same world, of which one has had another name for a chain, end
// with the same resources.
func TestServerTakesTheChainsThatAnotherHasRecorded(t *testing.T) {
	objects := worldtest.Load(t, "testdata/features/mtls-ports-of-a-namespace/in.yaml")
	one, view := renamedChains(t, objects)
	record, other := recordOf(t, one.generations(view)), loaded(objects)

	// Before the view was made here, and after.
	other.hear(view, record)
	late := loaded(objects)
	late.step(t.Context())
	late.hear(view, record)
	for _, e := range []*testEngine{other, late} {
		e.step(t.Context())
		if got := recordOf(t, e.generations(view)); got[9090].Name != "0badcafe" {
			t.Errorf("the chains are %v", got)
		}
		if !maps.Equal(e.versions, one.versions) {
			t.Error("the resources of the two servers differ")
		}
	}
	if built := late.step(t.Context()).Built; len(built) > 0 {
		t.Errorf("made anew once more: %v", built)
	}
}

// TestAViewThatAnotherServerHasMayCome: what was heard of it is its memory.
func TestAViewThatAnotherServerHasMayCome(t *testing.T) {
	objects := worldtest.Load(t, "testdata/features/mtls-ports-of-a-namespace/in.yaml")
	one, view := renamedChains(t, objects)
	e := loaded(nil)
	e.step(t.Context())
	e.hear(view, recordOf(t, one.generations(view)))
	e.step(t.Context())
	for _, object := range objects {
		worldtest.Set(e.World, object)
	}
	e.step(t.Context())
	if !maps.Equal(e.versions, one.versions) {
		t.Error("the resources of the two servers differ")
	}
}

// What another server says of a view that never comes is forgotten with its record.
func TestViewThatOnlyAnotherServerHasIsForgotten(t *testing.T) {
	e := loaded(nil)
	e.hear("elsewhere", envoy.Generations{})
	e.step(t.Context())
	if _, there := e.memories[workload.ID("elsewhere")]; there {
		t.Error("it is remembered after the start")
	}
	e.hear("elsewhere", nil)
	e.step(t.Context())
	if _, there := e.memories[workload.ID("elsewhere")]; there {
		t.Error("the view is still remembered")
	}
}

// renamedChains is an engine that has had another name for each chain of a view.
func renamedChains(t *testing.T, objects []metav1.Object) (*testEngine, string) {
	t.Helper()
	first := loaded(objects)
	first.step(t.Context())
	view := viewWithChains(t, first)
	renamed := envoy.Generations{}
	for port, generation := range first.generations(view) {
		generation.Name = "0badcafe"
		renamed[port] = generation
	}
	e := newTestEngine()
	e.setRoots(testRoots)
	e.Remember(workload.ID(view), renamed)
	for _, object := range objects {
		worldtest.Set(e.World, object)
	}
	e.step(t.Context())
	return e, view
}

// generations are those of the chains of a view.
func (e *testEngine) generations(view string) envoy.Generations {
	generations, _ := e.memories[workload.ID(view)].(envoy.Generations)
	return generations
}

func viewWithChains(t *testing.T, e *testEngine) string {
	t.Helper()
	for _, view := range e.World.Views() {
		if _, ok := e.generations(view)[9090]; ok {
			return view
		}
	}
	t.Fatalf("no view has port 9090: %v", e.memories)
	return ""
}

func recordOf(t *testing.T, generations envoy.Generations) envoy.Generations {
	t.Helper()
	data, err := generations.Record()
	if err != nil {
		t.Fatal(err)
	}
	read, err := envoy.ReadRecord(data)
	if err != nil {
		t.Fatal(err)
	}
	return read
}
