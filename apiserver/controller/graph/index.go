// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package graph

import "iter"

// Index files members under keys. A member may be filed under many keys, and several
// times under one: it is there until it was taken away as often. Who reads a key is
// dirty when a member comes to it or goes, not when a member is another inside.
type Index[K, M comparable] struct {
	buckets  map[K]*bucket[K, M]
	watchers []func(K)
}

type bucket[K, M comparable] struct {
	node
	index   *Index[K, M]
	key     K
	members map[M]int32
}

// NewIndex makes an empty Index.
func NewIndex[K, M comparable]() *Index[K, M] {
	return &Index[K, M]{buckets: map[K]*bucket[K, M]{}}
}

// OnKey has f called when a key has got its first member, or lost its last.
func (x *Index[K, M]) OnKey(f func(K)) { x.watchers = append(x.watchers, f) }

// Add files a member.
func (x *Index[K, M]) Add(key K, member M) {
	b := x.buckets[key]
	if b == nil {
		b = x.add(key)
	}
	if b.members == nil {
		b.members = map[M]int32{}
	}
	b.members[member]++
	if b.members[member] > 1 {
		return
	}
	b.touch()
	if len(b.members) == 1 {
		x.tell(key)
	}
}

// Remove takes a member away, once.
func (x *Index[K, M]) Remove(key K, member M) {
	b := x.buckets[key]
	if b == nil || b.members[member] == 0 {
		return
	}
	b.members[member]--
	if b.members[member] > 0 {
		return
	}
	delete(b.members, member)
	b.touch()
	if len(b.members) == 0 {
		b.members = nil
		if len(b.readers) == 0 {
			delete(x.buckets, key)
		}
		x.tell(key)
	}
}

// Touch makes those dirty who have read a key, as if its members were others.
func (x *Index[K, M]) Touch(key K) {
	if b := x.buckets[key]; b != nil {
		b.touch()
	}
}

func (x *Index[K, M]) tell(key K) {
	for _, f := range x.watchers {
		f(key)
	}
}

// Of gives the members of a key, in no order. The slice is the caller's.
func (x *Index[K, M]) Of(r *Recorder, key K) []M {
	b := x.read(r, key)
	if b == nil || len(b.members) == 0 {
		return nil
	}
	members := make([]M, 0, len(b.members))
	for member := range b.members {
		members = append(members, member)
	}
	return members
}

// Len is how many members a key has.
func (x *Index[K, M]) Len(r *Recorder, key K) int {
	b := x.read(r, key)
	if b == nil {
		return 0
	}
	return len(b.members)
}

// Has tells whether a member is filed under a key.
func (x *Index[K, M]) Has(r *Recorder, key K, member M) bool {
	b := x.read(r, key)
	return b != nil && b.members[member] > 0
}

func (x *Index[K, M]) read(r *Recorder, key K) *bucket[K, M] {
	b := x.buckets[key]
	if r == nil {
		return b
	}
	if b == nil {
		b = x.add(key)
	}
	r.read(&b.node)
	return b
}

// Keys gives those that have members, in no order. It is not recorded.
func (x *Index[K, M]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		for key, b := range x.buckets {
			if len(b.members) > 0 && !yield(key) {
				return
			}
		}
	}
}

func (x *Index[K, M]) add(key K) *bucket[K, M] {
	b := &bucket[K, M]{index: x, key: key}
	b.owner = b
	x.buckets[key] = b
	return b
}

func (b *bucket[K, M]) unread() {
	if len(b.members) == 0 {
		delete(b.index.buckets, b.key)
	}
}
