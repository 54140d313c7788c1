// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"slices"
	"testing"
)

func TestNumbersComeInOrderAndMayGoMeanwhile(t *testing.T) {
	var s numbers
	for _, id := range []uint32{200, 3, 63, 64, 3} {
		s.add(id)
	}
	if got, want := slices.Collect(s.all()), []uint32{3, 63, 64, 200}; !slices.Equal(got, want) || s.n != len(want) {
		t.Fatalf("holds %v (%d), want %v", got, s.n, want)
	}
	for id := range s.all() {
		if id != 64 {
			s.remove(id)
		}
	}
	s.remove(5000)
	if got := slices.Collect(s.all()); !slices.Equal(got, []uint32{64}) || s.n != 1 || !s.has(64) || s.has(63) || s.has(5000) {
		t.Errorf("holds %v (%d) after removals, want 64", got, s.n)
	}
	s.clear()
	if s.n != 0 || s.has(64) {
		t.Error("not empty after clear")
	}
}

func TestNumbersOfWhatHasGoneAreGivenAgain(t *testing.T) {
	var x numbering[string]
	for i, item := range []string{"a", "b", "c"} {
		if id := x.add(item); id != uint32(i) {
			t.Fatalf("%s has number %d, want %d", item, id, i)
		}
	}
	x.remove(1)
	if x.items[1] != "" {
		t.Error("what has gone is kept")
	}
	if id := x.add("d"); id != 1 {
		t.Errorf("the next has number %d, want 1", id)
	}
}
