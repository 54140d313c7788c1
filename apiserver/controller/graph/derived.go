// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package graph

// Derived is values that are made of what is in tables, or of derived values of a
// lower rank. Each is made once for all its readers. When what it was made of changes
// it is made anew, and its readers are dirty only if it is another.
type Derived[K comparable, V any] struct {
	graph *Graph
	rank  int
	build func(*Recorder, K) V
	same  func(a, b V) bool
	made  map[K]*value[K, V]
}

type value[K comparable, V any] struct {
	node
	*Dependent
	of    *Derived[K, V]
	key   K
	value V
	valid bool
}

// renewer is a derived value, of whatever type.
type renewer interface{ renew() }

// NewDerived makes a Derived of a rank, 0 or more. same tells whether two values mean
// the same for all readers; nil says that they never do.
func NewDerived[K comparable, V any](g *Graph, rank int, build func(*Recorder, K) V, same func(a, b V) bool) *Derived[K, V] {
	return &Derived[K, V]{graph: g, rank: rank, build: build, same: same, made: map[K]*value[K, V]{}}
}

// Get gives the value of a key. Without a Recorder it is not kept.
func (d *Derived[K, V]) Get(r *Recorder, key K) V {
	v := d.made[key]
	if r == nil && (v == nil || !v.valid || v.Dirty()) {
		return d.build(nil, key)
	}
	if v == nil {
		v = &value[K, V]{of: d, key: key}
		v.Dependent = d.graph.NewDependent(d.rank, v)
		v.owner = v
		d.made[key] = v
	}
	// It is read even if it cannot be made: it may be when what it reads changes.
	r.read(&v.node)
	if !v.valid {
		v.make()
	} else if v.Dirty() {
		v.again()
	}
	return v.value
}

// make builds the value. It stays invalid if build panics, until what was read changes.
func (v *value[K, V]) make() {
	v.valid = false
	r := v.of.graph.Record()
	defer v.Reads(r)
	made := v.of.build(r, v.key)
	v.value, v.valid, v.dirty = made, true, false
}

// renew builds the value anew for its readers, or drops it if it has none.
func (v *value[K, V]) renew() {
	if len(v.readers) == 0 {
		v.unread()
		return
	}
	defer func() {
		// The readers meet the panic themselves, each in its own build.
		if recover() != nil {
			v.touch()
		}
	}()
	v.again()
}

// again builds the value anew, and makes its readers dirty if it is another.
func (v *value[K, V]) again() {
	before, valid := v.value, v.valid
	v.make()
	if !valid || v.of.same == nil || !v.of.same(before, v.value) {
		v.touch()
	}
}

func (v *value[K, V]) unread() {
	if v.of.made[v.key] == v {
		delete(v.of.made, v.key)
		v.Forget()
	}
}

// Observer is run again whenever what it has read has changed.
type Observer struct {
	*Dependent
	run func(*Recorder)
}

// Observe runs f, and again at each Settle after what it has read has changed.
func (g *Graph) Observe(rank int, f func(*Recorder)) {
	o := &Observer{run: f}
	o.Dependent = g.NewDependent(rank, o)
	o.Touch()
}

func (o *Observer) renew() {
	r := o.graph.Record()
	o.run(r)
	o.Reads(r)
}

// Settle makes all derived values of ranks below the given one anew that are dirty, in
// the order of their ranks.
func (g *Graph) Settle(below int) {
	for rank := range min(below, len(g.ranks)) {
		for _, d := range g.Take(rank) {
			d.Owner.(renewer).renew()
		}
	}
}
