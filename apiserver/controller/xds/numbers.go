// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"iter"
	"math/bits"
)

// numbering gives things small numbers, densely: the number of one that has gone
// is given again.
type numbering[T any] struct {
	items []T
	free  []uint32
}

func (x *numbering[T]) add(item T) uint32 {
	if last := len(x.free) - 1; last >= 0 {
		id := x.free[last]
		x.free = x.free[:last]
		x.items[id] = item
		return id
	}
	x.items = append(x.items, item)
	return uint32(len(x.items) - 1)
}

func (x *numbering[T]) remove(id uint32) {
	var none T
	x.items[id] = none
	x.free = append(x.free, id)
}

// numbers is a set of such numbers, a bit for each. A map takes some forty bytes
// for each that is in it: those that led from names to streams were more than half
// of what a proxy cost.
type numbers struct {
	words []uint64
	n     int
}

func (s *numbers) has(id uint32) bool {
	return int(id/64) < len(s.words) && s.words[id/64]&(1<<(id%64)) != 0
}

func (s *numbers) add(id uint32) {
	if missing := int(id/64) + 1 - len(s.words); missing > 0 {
		s.words = append(s.words, make([]uint64, missing)...)
	}
	if !s.has(id) {
		s.words[id/64] |= 1 << (id % 64)
		s.n++
	}
}

func (s *numbers) remove(id uint32) {
	if s.has(id) {
		s.words[id/64] &^= 1 << (id % 64)
		s.n--
	}
}

func (s *numbers) clear() {
	clear(s.words)
	s.n = 0
}

// all goes through them in order; what it has come to may be removed meanwhile.
func (s *numbers) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if s.n == 0 {
			return
		}
		for i, word := range s.words {
			for ; word != 0; word &= word - 1 {
				if !yield(uint32(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}
