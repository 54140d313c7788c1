// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestARestartResendsNothing changes a small world at random, and demands that a
// server that starts with the records of the one before has the same versions.
func TestARestartResendsNothing(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := chance{rand.New(rand.NewPCG(seed, 1))}
			server := newTestEngine()
			server.setRoots(testRoots)
			records := map[string][]byte{}
			objects := map[string]metav1.Object{}
			for range 60 {
				random.change(server.World, objects)
				record(t, records, server.step(t.Context()))
			}
			again := restartedEngine(t, objects, records)
			record(t, records, again.step(t.Context()))
			if diff := cmp.Diff(server.versions, again.versions); diff != "" {
				t.Errorf("a restart changes resources (-before +after):\n%s", diff)
			}
			for view := range records {
				if again.World.Reader().View(view) == nil {
					t.Errorf("the view %s is gone and still remembered", view)
				}
			}
		})
	}
}

// record does what chains.Store does, without etcd.
func record(t *testing.T, records map[string][]byte, out engine.Outcome) {
	t.Helper()
	for id, memory := range out.Memories {
		generations, _ := memory.(envoy.Generations)
		data, err := generations.Record()
		if err != nil {
			t.Fatal(err)
		}
		if delete(records, id.Name); data != nil {
			records[id.Name] = data
		}
	}
}

func restartedEngine(t *testing.T, objects map[string]metav1.Object, records map[string][]byte) *testEngine {
	t.Helper()
	e := newTestEngine()
	e.setRoots(testRoots)
	for view, data := range records {
		generations, err := envoy.ReadRecord(data)
		if err != nil {
			t.Fatal(err)
		}
		e.Remember(workload.ID(view), generations)
	}
	for _, object := range objects {
		worldtest.Set(e.World, object)
	}
	return e
}

// A view that went while no server ran is forgotten by the next one.
func TestAViewThatWentMeanwhileIsForgotten(t *testing.T) {
	e := newTestEngine()
	e.setRoots(testRoots)
	e.Remember(workload.ID("gone"), envoy.Generations{})
	out := e.step(context.Background())
	if memory, ok := out.Memories[workload.ID("gone")]; !ok || memory != nil {
		t.Errorf("to remember: %v, want the view forgotten", out.Memories)
	}
}
