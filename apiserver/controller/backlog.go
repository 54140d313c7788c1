// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// maxStepBytes is how much the workloads of a step may be given before the rest
// waits for the next one. It takes about a third of a second to encode: so long
// an edit in a namespace of many workloads and rules may hold up its neighbours.
const maxStepBytes = 4 << 20

// backlog is what a step has left to the next: workloads that keep what they had.
type backlog struct {
	limit, spent int
	// step numbers the steps, and views has the one since which a view waits.
	step  int
	views map[string]int
	// policies are those whose reports wait, since some of what they affect does.
	policies map[world.Key]struct{}
}

func newBacklog() backlog {
	return backlog{limit: maxStepBytes, views: map[string]int{}, policies: map[world.Key]struct{}{}}
}

func (b *backlog) waits() bool { return len(b.views) > 0 }

// join adds what waits to what is dirty.
func (b *backlog) join(dirty *world.Dirty) {
	for view := range b.views {
		dirty.Views[view] = struct{}{}
	}
	maps.Copy(dirty.Policies, b.policies)
	clear(b.policies)
	b.spent = 0
	b.step++
}

// spend counts what a workload was given.
func (b *backlog) spend(resources []envoy.Resource) {
	for _, r := range resources {
		b.spent += len(r.Body.Value)
	}
}

// workloads compiles the dirty views, and leaves some to the next step where they
// are many and large. A view that has nothing yet never waits, since its proxies
// would be told that there is nothing, and whole says that none does.
func (e *engine) workloads(ctx context.Context, dirty *world.Dirty, whole bool) {
	for _, view := range e.inTurn(dirty.Views) {
		_, known := e.ledger.units[unit.ID{Kind: kindWorkload, Name: view}]
		if known && !whole && e.backlog.spent > e.backlog.limit {
			if _, waits := e.backlog.views[view]; !waits {
				e.backlog.views[view] = e.backlog.step
			}
			continue
		}
		delete(e.backlog.views, view)
		e.workload(ctx, view, dirty.Policies)
	}
	e.holdReports(dirty.Policies)
}

// inTurn puts first the views of the namespaces that have least to be done, and
// in a namespace those that have waited longest.
func (e *engine) inTurn(dirty map[string]struct{}) []string {
	work := map[string]int{}
	namespaces := make(map[string]string, len(dirty))
	for name := range dirty {
		if view := e.world.View(name); view != nil {
			namespaces[name] = view.Namespace
			work[view.Namespace] += 1 + len(e.world.PoliciesIn(view.Namespace))
		}
	}
	since := func(name string) int {
		if step, waits := e.backlog.views[name]; waits {
			return step
		}
		return e.backlog.step
	}
	return slices.SortedFunc(maps.Keys(dirty), func(a, b string) int {
		return cmp.Or(
			cmp.Compare(work[namespaces[a]], work[namespaces[b]]),
			cmp.Compare(namespaces[a], namespaces[b]),
			cmp.Compare(since(a), since(b)),
			cmp.Compare(a, b))
	})
}

// holdReports keeps back what would be said of policies that may affect a view
// which waits: they are programmed when its proxies have acknowledged them.
func (e *engine) holdReports(policies map[world.Key]struct{}) {
	if !e.backlog.waits() {
		return
	}
	waiting := map[string]struct{}{}
	for view := range e.backlog.views {
		// One that is gone has nobody whose answer is waited for.
		if view := e.world.View(view); view != nil {
			waiting[view.Namespace] = struct{}{}
		}
	}
	for key := range policies {
		policy := e.world.Policy(key)
		if policy == nil {
			continue
		}
		if _, waits := waiting[key.Namespace]; waits || e.world.IsAdministrators(policy) {
			delete(policies, key)
			e.backlog.policies[key] = struct{}{}
		}
	}
}
