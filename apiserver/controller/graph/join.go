// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package graph

// Join pairs what matches: selectors with what they select. Both sides are divided
// into buckets, such as namespaces, and only those that share one are compared. It
// is kept as each side changes, so that a reader of one side depends on its own
// pairs alone.
type Join[B, L, R comparable] struct {
	match  func(L, R) bool
	lefts  map[B]map[L]struct{}
	rights map[B]map[R]struct{}
	// of has the buckets of each.
	ofLeft  map[L][]B
	ofRight map[R][]B
	pairs   *Index[L, R]
	back    *Index[R, L]
}

// NewJoin makes an empty Join. match tells whether two that share a bucket belong
// together; its answer may change only when one of them is set anew.
func NewJoin[B, L, R comparable](match func(L, R) bool) *Join[B, L, R] {
	return &Join[B, L, R]{
		match: match,
		lefts: map[B]map[L]struct{}{}, rights: map[B]map[R]struct{}{},
		ofLeft: map[L][]B{}, ofRight: map[R][]B{},
		pairs: NewIndex[L, R](), back: NewIndex[R, L](),
	}
}

// SetLeft takes in one of the left side, or that it is another now. Without buckets it
// is gone.
func (j *Join[B, L, R]) SetLeft(left L, buckets ...B) {
	matching := map[R]struct{}{}
	for _, b := range buckets {
		for right := range j.rights[b] {
			if j.match(left, right) {
				matching[right] = struct{}{}
			}
		}
	}
	move(j.lefts, j.ofLeft, left, buckets)
	exchange(j.pairs, left, matching, func(right R, there bool) { file(j.back, right, left, there) })
}

// SetRight is SetLeft for the right side.
func (j *Join[B, L, R]) SetRight(right R, buckets ...B) {
	matching := map[L]struct{}{}
	for _, b := range buckets {
		for left := range j.lefts[b] {
			if j.match(left, right) {
				matching[left] = struct{}{}
			}
		}
	}
	move(j.rights, j.ofRight, right, buckets)
	exchange(j.back, right, matching, func(left L, there bool) { file(j.pairs, left, right, there) })
}

// Rights gives what belongs to one of the left side, in no order.
func (j *Join[B, L, R]) Rights(r *Recorder, left L) []R { return j.pairs.Of(r, left) }

// Lefts gives what belongs to one of the right side, in no order.
func (j *Join[B, L, R]) Lefts(r *Recorder, right R) []L { return j.back.Of(r, right) }

// move files one side's member under its buckets.
func move[B, M comparable](side map[B]map[M]struct{}, of map[M][]B, member M, buckets []B) {
	for _, b := range of[member] {
		delete(side[b], member)
		if len(side[b]) == 0 {
			delete(side, b)
		}
	}
	if len(buckets) == 0 {
		delete(of, member)
		return
	}
	of[member] = buckets
	for _, b := range buckets {
		if side[b] == nil {
			side[b] = map[M]struct{}{}
		}
		side[b][member] = struct{}{}
	}
}

// exchange makes the members of a key those that are wanted, and tells of each that
// comes or goes.
func exchange[K, M comparable](x *Index[K, M], key K, wanted map[M]struct{}, changed func(M, bool)) {
	var gone []M
	for _, member := range x.Of(nil, key) {
		if _, still := wanted[member]; still {
			delete(wanted, member)
		} else {
			gone = append(gone, member)
		}
	}
	for _, member := range gone {
		x.Remove(key, member)
		changed(member, false)
	}
	for member := range wanted {
		x.Add(key, member)
		changed(member, true)
	}
}

func file[K, M comparable](x *Index[K, M], key K, member M, there bool) {
	if there {
		x.Add(key, member)
	} else {
		x.Remove(key, member)
	}
}
