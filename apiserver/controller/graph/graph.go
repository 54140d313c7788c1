// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package graph keeps tables and indexes of objects, and knows who has read what of
// them. A Dependent reads through a Recorder. When something that it has read
// changes, it is dirty: what was read is what invalidates. Work is in proportion to
// what changed and what it concerns.
//
// A Graph and all that belongs to it are for one goroutine.
package graph

import "slices"

// Graph knows which dependents are dirty. Make it with New.
type Graph struct {
	// epoch numbers the recordings, for marks on nodes.
	epoch uint64
	// ranks are the dirty dependents, by rank.
	ranks [][]*Dependent
	// idle are recorders to be used again.
	idle []*Recorder
}

// New makes an empty Graph.
func New() *Graph { return &Graph{} }

// Dependent is something that is made from what it reads: a unit, or a derived value.
// Its zero value reads nothing. It must not be copied.
type Dependent struct {
	graph *Graph
	// rank orders the dependents of a step: one reads only what lower ranks made.
	rank  int
	dirty bool
	reads []edge
	// Owner is the caller's own, to find what is dirty.
	Owner any
}

// edge is one read. at is the place of its reference in the node's readers.
type edge struct {
	node *node
	at   int32
}

// node is one thing that can be read: the value of a key, or the members of a key of
// an index.
type node struct {
	readers []reference
	// mark is the epoch in which the node was read last.
	mark  uint64
	owner interface{ unread() }
}

// reference leads from a node to a reader. at is the place of the edge in its reads.
type reference struct {
	dependent *Dependent
	at        int32
}

// NewDependent makes a Dependent of a rank, 0 or more.
func (g *Graph) NewDependent(rank int, owner any) *Dependent {
	return &Dependent{graph: g, rank: rank, Owner: owner}
}

// Touch makes the dependent dirty, whatever it has read.
func (d *Dependent) Touch() {
	if d.dirty {
		return
	}
	d.dirty = true
	g := d.graph
	for len(g.ranks) <= d.rank {
		g.ranks = append(g.ranks, nil)
	}
	g.ranks[d.rank] = append(g.ranks[d.rank], d)
}

// Forget takes away all that the dependent has read. It is not dirty afterwards.
func (d *Dependent) Forget() {
	d.settle(nil)
	d.dirty = false
}

// Dirty tells whether the dependent is dirty.
func (d *Dependent) Dirty() bool { return d.dirty }

// Take gives the dirty dependents of a rank, in the order in which they became so. They
// are dirty no longer.
func (g *Graph) Take(rank int) []*Dependent {
	if rank >= len(g.ranks) {
		return nil
	}
	if len(g.ranks[rank]) == 0 {
		return nil
	}
	taken := g.ranks[rank]
	g.ranks[rank] = nil
	// One that was forgotten, or taken before, is not dirty any more.
	taken = slices.DeleteFunc(taken, func(d *Dependent) bool { return !d.dirty })
	for _, d := range taken {
		d.dirty = false
	}
	return taken
}

func (n *node) touch() {
	for _, r := range n.readers {
		r.dependent.Touch()
	}
}

// A Recorder notes what is read, once each. A nil Recorder notes nothing.
type Recorder struct {
	graph *Graph
	epoch uint64
	reads []*node
}

// Record makes a Recorder. It ends with Dependent.Reads, and must not be used after that.
func (g *Graph) Record() *Recorder {
	g.epoch += 2
	last := len(g.idle) - 1
	if last < 0 {
		return &Recorder{graph: g, epoch: g.epoch}
	}
	r := g.idle[last]
	g.idle = g.idle[:last]
	r.epoch = g.epoch
	return r
}

func (r *Recorder) read(n *node) {
	if r == nil || n.mark == r.epoch {
		return
	}
	n.mark = r.epoch
	r.reads = append(r.reads, n)
}

// Reads replaces what the dependent has read by what was recorded.
func (d *Dependent) Reads(r *Recorder) {
	if !d.same(r.reads) {
		d.settle(r.reads)
	}
	clear(r.reads)
	r.reads = r.reads[:0]
	r.graph.idle = append(r.graph.idle, r)
}

// same tells whether the same was read in the same order, as is most common.
func (d *Dependent) same(nodes []*node) bool {
	if len(nodes) != len(d.reads) {
		return false
	}
	for i := range nodes {
		if d.reads[i].node != nodes[i] {
			return false
		}
	}
	return true
}

// settle makes these nodes, which may be there twice, all that is read.
func (d *Dependent) settle(nodes []*node) {
	g := d.graph
	if g == nil {
		return
	}
	g.epoch += 2
	wanted, kept := g.epoch, g.epoch+1
	for _, n := range nodes {
		n.mark = wanted
	}
	// What is not read any more goes last: with it may go a derived value, and what that
	// alone has read, which must have found its new reader by then.
	left, gone := d.reads[:0], []edge(nil)
	for _, e := range d.reads {
		if e.node.mark != wanted {
			gone = append(gone, e)
			continue
		}
		e.node.mark = kept
		e.node.readers[e.at].at = int32(len(left))
		left = append(left, e)
	}
	clear(d.reads[len(left):])
	d.reads = left
	for _, n := range nodes {
		if n.mark == wanted {
			n.mark = kept
			d.reads = append(d.reads, edge{n, int32(len(n.readers))})
			n.readers = append(n.readers, reference{d, int32(len(d.reads) - 1)})
		}
	}
	there := len(d.reads)
	for _, e := range gone {
		e.node.readers[e.at].at = int32(len(d.reads))
		d.reads = append(d.reads, e)
	}
	for len(d.reads) > there {
		last := d.reads[len(d.reads)-1]
		d.reads[len(d.reads)-1] = edge{}
		d.reads = d.reads[:len(d.reads)-1]
		last.node.remove(last.at)
	}
	if len(d.reads) == 0 {
		d.reads = nil
	}
}

// remove takes away one reader. The last takes its place.
func (n *node) remove(at int32) {
	last := len(n.readers) - 1
	if moved := n.readers[last]; int(at) != last {
		n.readers[at] = moved
		moved.dependent.reads[moved.at].at = at
	}
	n.readers[last] = reference{}
	n.readers = n.readers[:last]
	if last == 0 {
		n.readers = nil
		n.owner.unread()
	}
}
