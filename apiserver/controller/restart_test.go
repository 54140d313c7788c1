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

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestARestartResendsNothing changes a small world at random, and demands that a
// server that starts with the records of the one before has the same versions.
func TestARestartResendsNothing(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := chance{rand.New(rand.NewPCG(seed, 1))}
			server := newEngine("cluster.local")
			server.setRoots(testRoots)
			records := map[string][]byte{}
			objects := map[string]metav1.Object{}
			for range 60 {
				random.change(server.world, objects)
				record(t, records, server.step(t.Context()))
			}
			again := restartedEngine(t, objects, records)
			record(t, records, again.step(t.Context()))
			if diff := cmp.Diff(server.ledger.versions, again.ledger.versions); diff != "" {
				t.Errorf("a restart changes resources (-before +after):\n%s", diff)
			}
			for view := range records {
				if again.world.View(view) == nil {
					t.Errorf("the view %s is gone and still remembered", view)
				}
			}
		})
	}
}

// record does what chains.Store does, without etcd.
func record(t *testing.T, records map[string][]byte, out outcome) {
	t.Helper()
	for view, generations := range out.chains {
		data, err := generations.Record()
		if err != nil {
			t.Fatal(err)
		}
		if delete(records, view); data != nil {
			records[view] = data
		}
	}
}

func restartedEngine(t *testing.T, objects map[string]metav1.Object, records map[string][]byte) *engine {
	t.Helper()
	e := newEngine("cluster.local")
	e.setRoots(testRoots)
	chains := map[string]envoy.Generations{}
	for view, data := range records {
		generations, err := envoy.ReadRecord(data)
		if err != nil {
			t.Fatal(err)
		}
		chains[view] = generations
	}
	e.remember(chains)
	for _, object := range objects {
		worldtest.Set(e.world, object)
	}
	return e
}

// A view that went while no server ran is forgotten by the next one.
func TestAViewThatWentMeanwhileIsForgotten(t *testing.T) {
	e := newEngine("cluster.local")
	e.setRoots(testRoots)
	e.remember(map[string]envoy.Generations{"gone": {}})
	out := e.step(context.Background())
	if generations, ok := out.chains["gone"]; !ok || generations != nil {
		t.Errorf("to remember: %v, want the view forgotten", out.chains)
	}
}
