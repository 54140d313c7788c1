// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// Reader reads a World, and records what it reads. The lists that it gives are the
// caller's, the objects in them are not.
type Reader struct {
	w      *World
	record *graph.Recorder
}

// Reader gives one that records nothing.
func (w *World) Reader() Reader { return Reader{w: w} }

// Recording gives one that records what it reads.
func (w *World) Recording(r *graph.Recorder) Reader { return Reader{w, r} }

// Derived declares values that are made of what is in a world, each once for all that
// read it. A declaration is a constant; the values are the World's.
type Derived[K comparable, V any] struct {
	rank  int
	build func(Reader, K) V
	same  func(a, b V) bool
}

// NewDerived declares them. Their build reads only derived values of lower ranks, from
// 0 to UnitRank-1. same tells whether two values mean the same to all readers; nil
// says that they never do.
func NewDerived[K comparable, V any](rank int, build func(Reader, K) V, same func(a, b V) bool) *Derived[K, V] {
	return &Derived[K, V]{rank, build, same}
}

// UnitRank is the lowest rank of units: they read derived values of all ranks.
const UnitRank = 8

// Of gives the value of a key.
func (d *Derived[K, V]) Of(r Reader, key K) V {
	w := r.w
	values, ok := w.derived[d].(*graph.Derived[K, V])
	if !ok {
		values = graph.NewDerived(w.graph, d.rank, func(record *graph.Recorder, key K) V {
			return d.build(w.Recording(record), key)
		}, d.same)
		w.derived[d] = values
	}
	return values.Get(r.record, key)
}

// Roots gives the certificates that workloads trust, in PEM.
func (r Reader) Roots() []byte { return []byte(r.w.roots.Get(r.record)) }

// SetFacts keeps what a unit says to others, nil if nothing. They are others than before.
func (w *World) SetFacts(id unit.ID, facts any) {
	if facts == nil {
		w.facts.Delete(id)
		return
	}
	w.facts.Set(id, facts)
}

// RefreshFacts is SetFacts for facts that mean the same to all readers.
func (w *World) RefreshFacts(id unit.ID, facts any) { w.facts.Refresh(id, facts) }

// Facts gives what a unit says to others, nil if nothing.
func (r Reader) Facts(id unit.ID) any {
	facts, _ := r.w.facts.Get(r.record, id)
	return facts
}

// SetFailed keeps why a unit could not be made, nil if it could.
func (w *World) SetFailed(id unit.ID, why error) {
	if why != nil {
		w.failures.Set(id, why)
	} else {
		w.failures.Delete(id)
	}
}

// Failed tells why a unit could not be made, nil if it could.
func (r Reader) Failed(id unit.ID) error {
	why, _ := r.w.failures.Get(r.record, id)
	return why
}

// Unrecorded gives a Reader of the same world that records nothing.
func (r Reader) Unrecorded() Reader { return Reader{w: r.w} }
