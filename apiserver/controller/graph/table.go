// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package graph

import "iter"

// Table is objects by key.
type Table[K comparable, V any] struct {
	entries map[K]*entry[K, V]
	// size counts the entries that have a value: others are there because something
	// has looked for them.
	size     int
	watchers []func(K)
}

type entry[K comparable, V any] struct {
	node
	table   *Table[K, V]
	key     K
	value   V
	present bool
}

// NewTable makes an empty Table.
func NewTable[K comparable, V any]() *Table[K, V] {
	return &Table[K, V]{entries: map[K]*entry[K, V]{}}
}

// OnKey has f called when a key has come or gone.
func (t *Table[K, V]) OnKey(f func(K)) { t.watchers = append(t.watchers, f) }

// Get gives the value of a key.
func (t *Table[K, V]) Get(r *Recorder, key K) (V, bool) {
	e := t.entries[key]
	if r == nil {
		if e == nil {
			var none V
			return none, false
		}
		return e.value, e.present
	}
	if e == nil {
		e = t.add(key)
	}
	r.read(&e.node)
	return e.value, e.present
}

// Set gives a key its value, another than before.
func (t *Table[K, V]) Set(key K, value V) {
	e := t.entries[key]
	if e == nil {
		e = t.add(key)
	}
	came := !e.present
	e.value, e.present = value, true
	e.touch()
	if came {
		t.size++
		t.tell(key)
	}
}

// Refresh gives a key another value that means the same to all that read it.
func (t *Table[K, V]) Refresh(key K, value V) {
	if e := t.entries[key]; e != nil && e.present {
		e.value = value
	}
}

// Delete takes a key away.
func (t *Table[K, V]) Delete(key K) {
	e := t.entries[key]
	if e == nil || !e.present {
		return
	}
	var none V
	e.value, e.present = none, false
	e.touch()
	t.size--
	if len(e.readers) == 0 {
		delete(t.entries, key)
	}
	t.tell(key)
}

func (t *Table[K, V]) tell(key K) {
	for _, f := range t.watchers {
		f(key)
	}
}

// Len is how many keys have a value. It is not recorded.
func (t *Table[K, V]) Len() int { return t.size }

// All gives each key with its value, in no order. It is not recorded.
func (t *Table[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for key, e := range t.entries {
			if e.present && !yield(key, e.value) {
				return
			}
		}
	}
}

func (t *Table[K, V]) add(key K) *entry[K, V] {
	e := &entry[K, V]{table: t, key: key}
	e.owner = e
	t.entries[key] = e
	return e
}

// unread drops an entry without a value, which was there for its readers alone.
func (e *entry[K, V]) unread() {
	if !e.present {
		delete(e.table.entries, e.key)
	}
}

// Cell is one value.
type Cell[V comparable] struct {
	node
	value V
}

// NewCell makes a Cell.
func NewCell[V comparable](value V) *Cell[V] {
	c := &Cell[V]{value: value}
	c.owner = c
	return c
}

// Get gives the value.
func (c *Cell[V]) Get(r *Recorder) V {
	r.read(&c.node)
	return c.value
}

// Set gives it a value; the same changes nothing.
func (c *Cell[V]) Set(value V) {
	if c.value != value {
		c.value = value
		c.touch()
	}
}

func (c *Cell[V]) unread() {}
