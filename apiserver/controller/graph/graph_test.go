// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package graph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
)

// reads makes a dependent of what f reads.
func reads(g *graph.Graph, rank int, f func(*graph.Recorder)) *graph.Dependent {
	d := g.NewDependent(rank, nil)
	r := g.Record()
	f(r)
	d.Reads(r)
	return d
}

func TestWhatWasReadMakesDirty(t *testing.T) {
	table, index := graph.NewTable[string, int](), graph.NewIndex[string, int]()
	cell := graph.NewCell(1)
	table.Set("a", 1)
	index.Add("x", 1)
	for _, test := range []struct {
		name   string
		read   func(*graph.Recorder)
		change func()
		dirty  bool
	}{
		{"a value that changes", func(r *graph.Recorder) { table.Get(r, "a") }, func() { table.Set("a", 2) }, true},
		{"a value that means the same", func(r *graph.Recorder) { table.Get(r, "a") }, func() { table.Refresh("a", 3) }, false},
		{"the value of another key", func(r *graph.Recorder) { table.Get(r, "a") }, func() { table.Set("b", 2) }, false},
		{"a value that was not there", func(r *graph.Recorder) { table.Get(r, "c") }, func() { table.Set("c", 2) }, true},
		{"a value that goes", func(r *graph.Recorder) { table.Get(r, "c") }, func() { table.Delete("c") }, true},
		{"a member that comes", func(r *graph.Recorder) { index.Of(r, "x") }, func() { index.Add("x", 2) }, true},
		{"a member that comes twice", func(r *graph.Recorder) { index.Len(r, "x") }, func() { index.Add("x", 2) }, false},
		{"a member that goes once of twice", func(r *graph.Recorder) { index.Has(r, "x", 2) }, func() { index.Remove("x", 2) }, false},
		{"a member that goes", func(r *graph.Recorder) { index.Of(r, "x") }, func() { index.Remove("x", 2) }, true},
		{"a member of another key", func(r *graph.Recorder) { index.Of(r, "x") }, func() { index.Add("y", 2) }, false},
		{"the first member of a key", func(r *graph.Recorder) { index.Of(r, "z") }, func() { index.Add("z", 1) }, true},
		{"a cell that changes", func(r *graph.Recorder) { cell.Get(r) }, func() { cell.Set(2) }, true},
		{"a cell that is set to what it is", func(r *graph.Recorder) { cell.Get(r) }, func() { cell.Set(2) }, false},
		{"nothing", func(*graph.Recorder) {}, func() { table.Set("a", 9) }, false},
	} {
		g := graph.New()
		d := reads(g, 0, test.read)
		test.change()
		if d.Dirty() != test.dirty {
			t.Errorf("%s: dirty is %v, want %v", test.name, d.Dirty(), test.dirty)
		}
		if got := len(g.Take(0)); (got == 1) != test.dirty || d.Dirty() {
			t.Errorf("%s: %d are taken, and dirty is %v afterwards", test.name, got, d.Dirty())
		}
	}
}

func TestWhatIsForgottenMakesNothingDirty(t *testing.T) {
	g, table := graph.New(), graph.NewTable[string, int]()
	d := reads(g, 0, func(r *graph.Recorder) { table.Get(r, "a") })
	d.Forget()
	if table.Set("a", 1); d.Dirty() {
		t.Error("dirty after all was forgotten")
	}
	d = reads(g, 0, func(r *graph.Recorder) { table.Get(r, "a") })
	table.Set("a", 2)
	d.Forget()
	if got := g.Take(0); len(got) > 0 {
		t.Error("taken after it was forgotten")
	}
}

// TestOnlyTheLastReadsCount: what was read before and is not any more makes nothing dirty.
func TestOnlyTheLastReadsCount(t *testing.T) {
	g, table := graph.New(), graph.NewTable[string, int]()
	d := reads(g, 0, func(r *graph.Recorder) { table.Get(r, "a"); table.Get(r, "b") })
	r := g.Record()
	table.Get(r, "b")
	table.Get(r, "c")
	d.Reads(r)
	if table.Set("a", 1); d.Dirty() {
		t.Error("dirty because of what was read once")
	}
	if table.Set("c", 1); !d.Dirty() {
		t.Error("not dirty because of what was read last")
	}
}

// TestADerivedValueIsMadeOnceAndStopsWhatMeansTheSame counts.
func TestADerivedValueIsMadeOnceAndStopsWhatMeansTheSame(t *testing.T) {
	g, table := graph.New(), graph.NewTable[string, string]()
	made := 0
	lower := graph.NewDerived(g, 0, func(r *graph.Recorder, key string) string {
		made++
		value, _ := table.Get(r, key)
		return strings.ToLower(value)
	}, func(a, b string) bool { return a == b })
	length := graph.NewDerived(g, 1, func(r *graph.Recorder, key string) int { return len(lower.Get(r, key)) }, nil)
	table.Set("a", "Text")
	one := reads(g, 2, func(r *graph.Recorder) { lower.Get(r, "a"); length.Get(r, "a") })
	other := reads(g, 2, func(r *graph.Recorder) { lower.Get(r, "a") })
	if made != 1 {
		t.Errorf("made %d times for two readers", made)
	}
	table.Set("a", "TEXT")
	g.Settle(2)
	if made != 2 || one.Dirty() || other.Dirty() {
		t.Errorf("made %d times, and readers are dirty of what means the same: %v %v", made, one.Dirty(), other.Dirty())
	}
	table.Set("a", "other")
	g.Settle(2)
	if !one.Dirty() || !other.Dirty() {
		t.Error("readers are not dirty of another value")
	}
	one.Forget()
	other.Forget()
	table.Set("a", "unread")
	g.Settle(2)
	if made != 3 {
		t.Errorf("made %d times, also for no reader", made)
	}
	if got := length.Get(nil, "a"); got != len("unread") {
		t.Errorf("without a recorder it is %d", got)
	}
}

// TestAPanicOfADerivedValueIsItsReaders: each meets it in its own build, and it is made
// anew when what it read changes.
func TestAPanicOfADerivedValueIsItsReaders(t *testing.T) {
	g, table := graph.New(), graph.NewTable[string, int]()
	derived := graph.NewDerived(g, 0, func(r *graph.Recorder, key string) int {
		value, _ := table.Get(r, key)
		if value == 13 {
			panic("unlucky")
		}
		return value
	}, nil)
	d := reads(g, 1, func(r *graph.Recorder) { derived.Get(r, "a") })
	table.Set("a", 13)
	g.Settle(1)
	if !d.Dirty() {
		t.Fatal("its reader is not dirty")
	}
	build := func() (got int, panicked bool) {
		g.Take(1)
		r := g.Record()
		defer func() { panicked = recover() != nil; d.Reads(r) }()
		table.Get(r, "a")
		return derived.Get(r, "a"), false
	}
	if _, panicked := build(); !panicked {
		t.Error("the reader does not meet the panic")
	}
	table.Set("a", 7)
	g.Settle(1)
	if got, panicked := build(); panicked || got != 7 || !func() bool { table.Set("a", 8); g.Settle(1); return d.Dirty() }() {
		t.Errorf("afterwards it is %d, panic %v", got, panicked)
	}
}

// TestJoinPairsWhatMatches compares it with pairing everything anew, after each of many
// random changes, and its readers with what changed for them.
func TestJoinPairsWhatMatches(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	left, right := map[string]int{}, map[string]int{}
	match := func(l, r string) bool { return left[l] != 0 && left[l] == right[r] }
	g, join := graph.New(), graph.NewJoin[string](match)
	ofL := func(l string) string { return "bucket" + l[:1] }
	pairs := func(l string) []string {
		var found []string
		for r := range right {
			if ofL(l) == ofL(r) && match(l, r) {
				found = append(found, r)
			}
		}
		slices.Sort(found)
		return found
	}
	names := []string{"a1", "a2", "a3", "b1", "b2"}
	readers := map[string]*graph.Dependent{}
	last := map[string][]string{}
	for step := range 2000 {
		name, value := names[random.IntN(len(names))], random.IntN(4)
		if random.IntN(2) == 0 {
			if left[name] = value; value == 0 {
				join.SetLeft(name)
			} else {
				join.SetLeft(name, ofL(name))
			}
		} else if right[name] = value; value == 0 {
			delete(right, name)
			join.SetRight(name)
		} else {
			join.SetRight(name, ofL(name))
		}
		for _, l := range names {
			want := pairs(l)
			got := join.Rights(nil, l)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: %s has %v, want %v", step, l, got, want)
			}
			for _, r := range got {
				if !slices.Contains(join.Lefts(nil, r), l) {
					t.Fatalf("step %d: %s does not lead back to %s", step, r, l)
				}
			}
			if d := readers[l]; d != nil && d.Dirty() == slices.Equal(last[l], want) {
				t.Fatalf("step %d: %s is dirty: %v, of %v before and %v now", step, l, d.Dirty(), last[l], want)
			}
			if readers[l] != nil {
				readers[l].Forget()
			}
			readers[l], last[l] = reads(g, 0, func(r *graph.Recorder) { join.Rights(r, l) }), want
		}
		g.Take(0)
	}
}

// BenchmarkReadsThatStay is what recording costs that finds what it found before.
func BenchmarkReadsThatStay(b *testing.B) {
	g, table := graph.New(), graph.NewTable[string, int]()
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprint("key-", i))
		table.Set(keys[i], i)
	}
	d := g.NewDependent(0, nil)
	for b.Loop() {
		r := g.Record()
		for _, key := range keys {
			table.Get(r, key)
		}
		d.Reads(r)
	}
}
