// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engine makes units of the world, and makes those anew that a change has made
// stale. It names no kind of unit: they come in a list, and a unit reads only what
// those before it in the list have made.
package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Engine keeps a world and the units that are made of it. One goroutine uses it.
type Engine struct {
	World *world.World
	// StepBytes is how much proxies may be given in a step before the rest waits.
	StepBytes int

	kinds  []*Kind
	units  map[unit.ID]*work
	ledger *ledger
	// remembered are memories of units that are not there yet.
	remembered map[unit.ID]any
	// begun is set after the first step.
	begun   bool
	backlog backlog
	// held are the units whose reports are yet to be told.
	held map[unit.ID]*work
	out  Outcome
}

// work is a unit with what came of it.
type work struct {
	*graph.Dependent
	id   unit.ID
	kind *Kind
	// made is false until something has come of it.
	made   bool
	memory any
	// turn is the step in which it was stale last.
	turn int
	// bytes is how much it has given to proxies.
	bytes int
	// since is the step since which its report is held.
	since int
	// The rest is of its last Product.
	proxy   *model.Proxy
	report  *report.Report
	last    bool
	notices []Notice
	public  bool
}

// Outcome is what one step has to tell others.
type Outcome struct {
	// Set, Removed and Units are the resources that are others now, and the units whose
	// list of resources is another.
	Set     []envoy.Resource
	Removed []envoy.Key
	Units   map[unit.ID][]envoy.Key
	// Proxies are those that may connect and have changed, and GoneProxies those that
	// may no longer.
	Proxies     []model.Proxy
	GoneProxies []model.ProxyID
	// Reports are what is to be said of objects; nil for one that is gone.
	Reports map[unit.ID]*report.Report
	// News are notices that have not been told yet.
	News []Notice
	// Public is what units say to others than units; nil for one that says nothing more.
	Public map[unit.ID]any
	// Memories are those to keep; nil for one to forget.
	Memories map[unit.ID]any
	// Built are the units that were made anew.
	Built []unit.ID
}

// New makes an Engine for these kinds, in their order.
func New(w *world.World, kinds []*Kind) *Engine {
	e := &Engine{
		World: w, StepBytes: stepBytes, kinds: kinds,
		units: map[unit.ID]*work{}, ledger: newLedger(), remembered: map[unit.ID]any{},
		backlog: newBacklog(), held: map[unit.ID]*work{},
	}
	for rank, kind := range kinds {
		kind.Watch(w, func(name string) { e.changed(kind, rank, name) })
	}
	return e
}

// Remember takes a memory that an earlier server had kept, before the first step.
func (e *Engine) Remember(id unit.ID, memory any) { e.remembered[id] = memory }

// Hear takes in what another server has recorded of a unit, nil for nothing. A unit that
// is not here yet may come; one that is here is made anew.
func (e *Engine) Hear(id unit.ID, other any) {
	if u := e.units[id]; u != nil {
		u.memory = u.kind.Hear(u.memory, other)
		u.Touch()
		return
	}
	set(&e.out.Memories, id, other)
	if other == nil {
		delete(e.remembered, id)
	} else {
		e.remembered[id] = other
	}
}

// Object is what a resource was made of, nil where there is no such object.
func (e *Engine) Object(key envoy.Key) *corev1.ObjectReference {
	u := e.units[e.ledger.owners[key]]
	if u == nil || u.kind.Object == nil {
		return nil
	}
	return u.kind.Object(e.World.Reader(), u.id.Name)
}

// Waits tells whether units wait for the next step.
func (e *Engine) Waits() bool { return e.backlog.waits() }

// Notices gives all that is said of objects now, by unit.
func (e *Engine) Notices() map[unit.ID][]Notice {
	found := map[unit.ID][]Notice{}
	for id, u := range e.units {
		if len(u.notices) > 0 {
			found[id] = u.notices
		}
	}
	return found
}

// Noticed counts the units of a kind of which something is said for a reason.
func (e *Engine) Noticed(kind, reason string) int { return e.ledger.noticed[noticed{kind, reason}] }

// changed makes the unit of that name stale, if there is none yet a new one.
func (e *Engine) changed(kind *Kind, rank int, name string) {
	id := unit.ID{Kind: kind.Name, Name: name}
	u := e.units[id]
	if u == nil {
		u = &work{id: id, kind: kind, memory: e.remembered[id]}
		u.Dependent = e.World.Graph().NewDependent(world.UnitRank+rank, u)
		delete(e.remembered, id)
		e.units[id] = u
	}
	u.Touch()
}

// TouchAll makes all units stale.
func (e *Engine) TouchAll() {
	for _, u := range e.units {
		u.Touch()
	}
}

// Spent is how many bytes of resources the last step has made.
func (e *Engine) Spent() int { return e.backlog.total }

// Step makes anew what the changes since the last step have made stale.
func (e *Engine) Step(ctx context.Context) Outcome {
	g := e.World.Graph()
	g.Settle(world.UnitRank)
	e.backlog.begin(e.StepBytes)
	for rank, kind := range e.kinds {
		dirty := g.Take(world.UnitRank + rank)
		if len(dirty) == 0 && !e.Waits() {
			continue
		}
		for _, u := range e.backlog.inTurn(dirty, kind, e.World.Reader()) {
			if !e.backlog.mayWait(u) {
				e.make(ctx, u)
			}
		}
	}
	e.tellReports()
	e.forgetGone()
	out := e.out
	out.Set, out.Removed, out.Units = e.ledger.take()
	out.Proxies, out.GoneProxies = e.ledger.takeProxies()
	out.News = e.ledger.takeNews()
	e.out = Outcome{}
	return out
}

// forgetGone forgets, in the first step, the memories of units that went while no server
// ran.
func (e *Engine) forgetGone() {
	if e.begun {
		return
	}
	e.begun = true
	for id := range e.remembered {
		set(&e.out.Memories, id, nil)
	}
	clear(e.remembered)
}

// make builds a unit, or what stands in for it.
func (e *Engine) make(ctx context.Context, u *work) {
	e.out.Built = append(e.out.Built, u.id)
	record := e.World.Graph().Record()
	reader := e.World.Recording(record)
	build := func(how func(world.Reader, string, any) (Product, error)) (product Product, err error) {
		err = guarded(u.kind.Name, func() error {
			product, err = how(reader, u.id.Name, u.memory)
			return err
		})
		return product, err
	}
	product, err := build(u.kind.Build)
	e.World.SetFailed(u.id, err)
	if err != nil {
		failed(ctx, u.id, err, u.kind.Effect)
		if u.kind.Closed == nil {
			u.Reads(record)
			return
		}
		if product, err = build(u.kind.Closed); err != nil {
			failed(ctx, u.id, err, "what was sent before stays")
			u.Reads(record)
			return
		}
	}
	u.Reads(record)
	e.keep(u, product)
}

// keep takes in what came of a unit.
func (e *Engine) keep(u *work, product Product) {
	e.ledger.put(u.id, product.Resources)
	e.ledger.putProxy(u.proxy, product.Proxy)
	e.ledger.note(u.id, u.notices, product.Notices)
	e.keepFacts(u, product.Facts)
	if u.public || product.Public != nil {
		set(&e.out.Public, u.id, product.Public)
	}
	if u.kind.Remembers {
		set(&e.out.Memories, u.id, product.Memory)
	}
	switch {
	case product.Report != nil:
		if _, held := e.held[u.id]; !held || !sameWork(u.report, product.Report) {
			u.since = e.backlog.step
		}
		e.held[u.id] = u
	case u.report != nil:
		delete(e.held, u.id)
		set(&e.out.Reports, u.id, nil)
	}
	u.bytes = 0
	for i := range product.Resources {
		u.bytes += len(product.Resources[i].Body.Value)
	}
	e.backlog.spent += u.bytes
	e.backlog.total += u.bytes
	u.made, u.memory, u.public = true, product.Memory, product.Public != nil
	u.proxy, u.notices = product.Proxy, product.Notices
	u.report, u.last = product.Report, product.Last
	if product.Gone {
		u.Forget()
		delete(e.units, u.id)
	}
}

func (e *Engine) keepFacts(u *work, facts any) {
	before := e.World.Reader().Facts(u.id)
	switch {
	case before == nil && facts == nil:
	case before != nil && facts != nil && u.kind.SameFacts(before, facts):
		e.World.RefreshFacts(u.id, facts)
	default:
		e.World.SetFacts(u.id, facts)
	}
}

// tellReports tells those reports for which no unit waits any longer that carries out what
// they are about: proxies acknowledge an object when they have what was made of it. What
// has become stale after that does not hold them up.
func (e *Engine) tellReports() {
	for id, u := range e.held {
		if u.last && e.backlog.waitsSince(u.since) || e.backlog.waitsFor(u.report.Units, u.since) {
			continue
		}
		set(&e.out.Reports, id, u.report)
		delete(e.held, id)
	}
}

// sameWork tells whether two reports are told when the same was made of the same object.
func sameWork(a, b *report.Report) bool {
	return a != nil && a.UID == b.UID && a.Generation == b.Generation && slices.Equal(a.Units, b.Units)
}

// set puts a value into a map that is made when it is needed.
func set[V any](m *map[unit.ID]V, id unit.ID, value V) {
	if *m == nil {
		*m = map[unit.ID]V{}
	}
	(*m)[id] = value
}

// guarded runs the making of one unit. A panic becomes its error, so that one bad
// object never hurts its neighbours.
func guarded(kind string, build func() error) (err error) {
	defer timed(kind, time.Now())
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return build()
}

func failed(ctx context.Context, id unit.ID, err error, effect string) {
	failures.WithLabelValues(id.Kind).Inc()
	klog.FromContext(ctx).Error(err, "Cannot compile", "kind", id.Kind, "name", id.Name, "effect", effect)
}
