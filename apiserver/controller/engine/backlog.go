// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// stepBytes is how much proxies may be given in a step of units of one kind before the
// rest waits for the next one. It takes about a third of a second to encode: so long an edit in a
// namespace of many workloads and rules may hold up its neighbours.
const stepBytes = 4 << 20

// patience is how many steps a unit waits at least before it is due.
const patience = 3

// backlog is what a step has left to the next: units that keep what they had.
type backlog struct {
	// spent is what the step has made of the kind that is at work: others have no part in
	// its limit, else the many changes of one kind would hold up those of all later ones.
	limit, spent int
	// due is the unit of that kind that does not wait any longer, nil if there is none.
	due *work
	// total is what the step has made of all kinds.
	total int
	// step numbers the steps, and units has the one since which a unit waits.
	step  int
	units map[*work]int
	ids   map[unit.ID]int
}

func newBacklog() backlog {
	return backlog{units: map[*work]int{}, ids: map[unit.ID]int{}}
}

func (b *backlog) waits() bool { return len(b.units) > 0 }

// waitsFor tells whether one of these units waits since that step or an earlier one. One
// that has begun to wait since then was made meanwhile, or was right as it was.
func (b *backlog) waitsFor(ids []unit.ID, step int) bool {
	return b.waits() && slices.ContainsFunc(ids, func(id unit.ID) bool {
		since, waits := b.ids[id]
		return waits && since <= step
	})
}

// waitsSince is waitsFor for all units.
func (b *backlog) waitsSince(step int) bool {
	for _, since := range b.units {
		if since <= step {
			return true
		}
	}
	return false
}

func (b *backlog) begin(limit int) {
	b.limit, b.spent, b.total = limit, 0, 0
	b.step++
}

// mayWait tells whether a unit waits for the next step: the step may not go on. A unit
// that was never made does not wait, since proxies would be told that there is nothing.
func (b *backlog) mayWait(u *work) bool {
	if u.kind.Namespace != nil && u.made && u != b.due && b.spent > b.limit {
		b.wait(u)
		return true
	}
	if _, waited := b.units[u]; waited {
		delete(b.units, u)
		delete(b.ids, u.id)
	}
	return false
}

func (b *backlog) wait(u *work) {
	if _, waits := b.units[u]; !waits {
		b.units[u] = b.step
		b.ids[u.id] = b.step
	}
}

// inTurn gives the stale units of a kind in the order in which they are made. Of a kind
// whose units may wait it adds those that have waited, and puts first those of the
// namespaces that have least to be done, and in a namespace those that have waited
// longest. That which has waited longest of all is due, whatever there is to be done
// before it: else a namespace that always has less to do would keep others waiting.
func (b *backlog) inTurn(dirty []*graph.Dependent, kind *Kind, r world.Reader) []*work {
	b.spent, b.due = 0, nil
	units := make([]*work, 0, len(dirty))
	for _, d := range dirty {
		u := d.Owner.(*work)
		u.turn = b.step
		units = append(units, u)
	}
	if kind.Namespace == nil {
		return units
	}
	for u := range b.units {
		if u.kind == kind && u.turn != b.step {
			units = append(units, u)
		}
	}
	if len(units) < 2 {
		return units
	}
	amount, namespaces := map[string]int{}, make(map[*work]string, len(units))
	for _, u := range units {
		namespace := kind.Namespace(r, u.id.Name)
		namespaces[u] = namespace
		amount[namespace] += 1 + u.bytes
	}
	since := func(u *work) int {
		if step, waits := b.units[u]; waits {
			return step
		}
		return b.step
	}
	slices.SortFunc(units, func(x, y *work) int {
		return cmp.Or(
			cmp.Compare(amount[namespaces[x]], amount[namespaces[y]]),
			cmp.Compare(namespaces[x], namespaces[y]),
			cmp.Compare(since(x), since(y)),
			cmp.Compare(x.id.Name, y.id.Name))
	})
	for _, u := range units {
		if waited := b.step - since(u); waited > patience && (b.due == nil || since(u) < since(b.due)) {
			b.due = u
		}
	}
	return units
}
