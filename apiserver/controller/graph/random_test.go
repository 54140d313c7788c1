// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package graph_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
)

// wavering is units and derived values that read now this and now that, by what they read.
type wavering struct {
	keys         int
	table        *graph.Table[int, int]
	index        *graph.Index[int, int]
	lower, upper *graph.Derived[int, int]
}

func (w *wavering) derive(g *graph.Graph, panics bool) {
	build := func(below *graph.Derived[int, int]) func(*graph.Recorder, int) int {
		return func(r *graph.Recorder, key int) int {
			first := w.leaf(r, key)
			out := first
			if first%2 == 1 {
				out += 10 * w.leaf(r, key+first)
			}
			if below != nil && first%3 > 0 {
				out += 100 * below.Get(r, (key+out)%w.keys)
			}
			if panics && out%7 == 3 {
				panic("unlucky")
			}
			return out
		}
	}
	same := func(a, b int) bool { return a == b }
	w.lower = graph.NewDerived(g, 0, build(nil), same)
	w.upper = graph.NewDerived(g, 1, build(w.lower), same)
}

func (w *wavering) leaf(r *graph.Recorder, at int) int {
	at %= 2 * w.keys
	if at < w.keys {
		value, _ := w.table.Get(r, at)
		return value
	}
	return w.index.Len(r, at-w.keys)
}

// say is what a unit says, -1 if its build panics.
func (w *wavering) say(r *graph.Recorder, key int) (out int) {
	defer func() {
		if recover() != nil {
			out = -1
		}
	}()
	switch w.leaf(r, key) % 4 {
	case 0:
		return w.leaf(r, key+1)
	case 1:
		return w.upper.Get(r, key)
	case 2:
		return w.lower.Get(r, key)
	default:
		return w.upper.Get(r, (key+1)%w.keys) + w.lower.Get(r, (key+2)%w.keys)
	}
}

// TestNothingStaysStale has units and derived values that read now this and now that, some
// of which panic, and demands after each change that every unit says what one would that is
// made anew of nothing.
func TestNothingStaysStale(t *testing.T) {
	for seed := range uint64(1000) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			g := graph.New()
			w := &wavering{keys: 5, table: graph.NewTable[int, int](), index: graph.NewIndex[int, int]()}
			panics := seed%2 == 1
			w.derive(g, panics)
			said, units := map[int]int{}, map[int]*graph.Dependent{}
			build := func(key int) {
				r := g.Record()
				said[key] = w.say(r, key)
				units[key].Reads(r)
			}
			for key := range w.keys {
				units[key] = g.NewDependent(2, key)
				build(key)
			}
			for step := range 200 {
				for range 1 + random.IntN(2) {
					key, value := random.IntN(w.keys), random.IntN(6)
					switch random.IntN(4) {
					case 0:
						w.table.Set(key, value)
					case 1:
						w.table.Delete(key)
					case 2:
						w.index.Add(key, value)
					default:
						w.index.Remove(key, value)
					}
				}
				g.Settle(2)
				for _, d := range g.Take(2) {
					build(d.Owner.(int))
				}
				anew := &wavering{keys: w.keys, table: w.table, index: w.index}
				anew.derive(graph.New(), panics)
				for key := range w.keys {
					if want := anew.say(nil, key); said[key] != want {
						t.Fatalf("step %d: unit %d says %d, and one that is made anew %d", step, key, said[key], want)
					}
				}
			}
			for key := range w.keys {
				units[key].Forget()
				w.table.Delete(key)
				for value := range 6 {
					for w.index.Has(nil, key, value) {
						w.index.Remove(key, value)
					}
				}
			}
			g.Settle(2)
			for what, kept := range map[string]any{"entries": w.table, "buckets": w.index, "made": w.lower} {
				if n := reflect.ValueOf(kept).Elem().FieldByName(what).Len(); n > 0 {
					t.Errorf("%d %s are left when all is gone", n, what)
				}
			}
		})
	}
}
