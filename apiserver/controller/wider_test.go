// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// said is what an object of no kind of ours says of routes: one of another rank, and of
// callers of other namespaces.
type said struct {
	origin intent.Origin
	routes []intent.Route
}

// TestChangesWhileUnitsWaitEqualFull is TestIncrementalEqualsFull where further changes
// come while units wait for their turn, with routes of callers' own namespaces, and where
// now and then all is deleted.
func TestChangesWhileUnitsWaitEqualFull(t *testing.T) {
	for seed := range uint64(often(20)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := chance{rand.New(rand.NewPCG(seed, 1))}
			e := newTestEngine()
			e.setRoots(testRoots)
			e.StepBytes = pick(random, 1, 5000, 20000, 1<<20)
			got := newDelivered()
			objects, intents := map[string]metav1.Object{}, map[intent.Reference]said{}
			for range 40 {
				for range random.IntN(4) {
					for range 1 + random.IntN(3) {
						if random.IntN(5) == 0 {
							random.intent(e.World, intents)
						} else {
							random.change(e.World, objects)
						}
					}
					got.take(e, e.step(t.Context()))
				}
				if random.IntN(15) == 0 {
					for key, object := range objects {
						worldtest.Delete(e.World, object)
						delete(objects, key)
					}
					for origin := range intents {
						e.World.DeleteRoutes(origin)
						delete(intents, origin)
					}
				}
				for once := true; once || e.Waits(); once = false {
					got.take(e, e.step(t.Context()))
				}
				full := newTestEngine()
				full.setRoots(testRoots)
				for id, memory := range e.memories {
					full.Remember(id, memory)
				}
				for _, object := range objects {
					worldtest.Set(full.World, object)
				}
				for _, s := range intents {
					full.World.SetRoutes(s.origin, s.routes)
				}
				want := newDelivered()
				want.take(full, full.step(t.Context()))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("incremental differs from full (-full +incremental):\n%s", diff)
				}
			}
		})
	}
}

func (c chance) intent(w *world.World, all map[intent.Reference]said) {
	s := said{origin: intent.Origin{Reference: intent.Reference{Kind: pick(c, "HTTPRoute", "TrafficSplit"), Key: world.Key{Namespace: pick(c, "a", "b"), Name: pick(c, "one", "two")}}}}
	if _, there := all[s.origin.Reference]; there && c.IntN(3) == 0 {
		w.DeleteRoutes(s.origin.Reference)
		delete(all, s.origin.Reference)
		return
	}
	s.origin.UID, s.origin.Generation = types.UID(pick(c, "x", "y")), c.Int64N(1<<40)
	for range c.IntN(3) {
		r := intent.Route{
			Origin: s.origin, Created: time.Unix(c.Int64N(2), 0), Rank: pick(c, intent.RankGatewayAPI, intent.RankTrafficSplit),
			Parent: intent.Key{Namespace: pick(c, "a", "b"), Name: pick(c, "web", "api")}, Port: pick[uint16](c, 0, 80, 81),
		}
		backends := []intent.Backend{
			{Service: intent.Key{Namespace: pick(c, "a", "b"), Name: pick(c, "web", "api", "gone")}, Port: pick[uint16](c, 80, 81), Weight: 1},
			{Service: r.Parent, Port: 80, Weight: pick[uint32](c, 0, 3)},
		}
		if c.IntN(2) == 0 {
			r.HTTP = []intent.HTTPRule{{Name: "0", Backends: backends}, {Name: "1"}}
		}
		if c.IntN(2) == 0 {
			r.TCP = &intent.TCPRule{Name: "tcp", Backends: backends}
		}
		s.routes = append(s.routes, r)
	}
	all[s.origin.Reference] = s
	w.SetRoutes(s.origin, s.routes)
}
