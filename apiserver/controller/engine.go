// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
)

// engine joins world, compile and envoy: it knows what each unit gave last, and
// compiles only what a change has made stale. One goroutine uses it.
type engine struct {
	world *world.World
	// roots are the certificates that workloads trust, in PEM.
	roots  []byte
	ledger *ledger
	// policies are, by view, the policies that have a part of it as target.
	policies map[string][]world.Key
	// chains are, by view, the generations of its filter chains.
	chains map[string]envoy.Generations
	// fronts are what Services were compiled from last, but for their endpoints.
	fronts map[world.Key]front
	// renewed are the views whose generations the step has made anew, or, with
	// nil, forgotten.
	renewed map[string]envoy.Generations
	// outlooks are the views for which there is an outbound listener.
	outlooks map[string][]string
	// broken are the headless Services that could not be compiled.
	broken   map[world.Key]struct{}
	notebook *notebook
	// audits are, by view, what Audit policies say.
	audits *audits
	// shapes are, by view, what reports say of its ports beside their own policy.
	shapes  map[string]string
	backlog backlog
	// stored is set if objects of our own kinds have changed since the last step.
	stored bool
	// returns are accounts that were deleted, and may come back.
	returns returns
	// everything is set if the next step compiles every unit.
	everything bool
	// config is the MeshConfig that was reported last.
	config *v1alpha1.MeshConfig
	// warned is what is wrong with annotations, by the object.
	warned map[annotated]string
	// scraped is what was said last of pods that a Prometheus is refused at, by view.
	scraped map[string]string
	// unusable says why the settings could not be compiled, or is nil.
	unusable error
}

func newEngine(trustDomain string) *engine {
	return &engine{
		world:      world.New(trustDomain),
		ledger:     newLedger(),
		policies:   map[string][]world.Key{},
		chains:     map[string]envoy.Generations{},
		fronts:     map[world.Key]front{},
		audits:     newAudits(),
		shapes:     map[string]string{},
		renewed:    map[string]envoy.Generations{},
		broken:     map[world.Key]struct{}{},
		backlog:    newBacklog(),
		returns:    newReturns(),
		notebook:   newNotebook(),
		everything: true,
		warned:     map[annotated]string{},
		scraped:    map[string]string{},
	}
}

// outcome is what one step has to tell others.
type outcome struct {
	update xds.Update
	// reports of policies that may say something new; nil for one that is gone.
	reports map[world.Key]*compile.Report
	// warnings are for the users of objects whose annotations are wrong.
	warnings []warning
	// news are notices that have not been told yet.
	news []notice
	// config is a MeshConfig that everything was compiled with, or nil if it is
	// the one reported before; unusable says why its settings could not be compiled.
	config   *v1alpha1.MeshConfig
	unusable error
	// chains are, by view, the generations to remember; nil for one to forget.
	chains map[string]envoy.Generations
}

// remember takes the generations that an earlier server knew, before the first step.
func (e *engine) remember(chains map[string]envoy.Generations) {
	maps.Copy(e.chains, chains)
}

// setRoots replaces the certificates that workloads trust. Every workload has
// them in the validation contexts of its ports.
func (e *engine) setRoots(pem []byte) {
	if !bytes.Equal(e.roots, pem) {
		e.roots = pem
		e.everything = true
	}
}

// step compiles what the events since the last step have made stale.
func (e *engine) step(ctx context.Context) outcome {
	dirty := e.world.TakeDirty()
	e.backlog.join(&dirty)
	whole := e.everything || dirty.All
	if whole {
		e.addAll(&dirty)
		e.forgetGoneViews()
		unusable := e.common(ctx)
		if (unusable == nil) != (e.unusable == nil) {
			e.config = nil
		}
		e.unusable = unusable
		e.everything = false
	}
	for key := range dirty.Services {
		e.service(ctx, key)
		dirty.Notices[key] = struct{}{}
	}
	for key := range dirty.Notices {
		e.serviceNotices(key)
	}
	for namespace := range dirty.Namespaces {
		e.namespaceNotices(namespace)
	}
	e.scrapes(dirty)
	for view := range dirty.Views {
		for _, maker := range e.world.MakersIn(view) {
			dirty.Makers[maker] = struct{}{}
		}
	}
	for maker := range dirty.Makers {
		e.makerNotices(maker)
	}
	for key := range dirty.Accounts {
		e.account(ctx, key)
	}
	if dirty.Addresses {
		e.direct(ctx)
	}
	e.workloads(ctx, &dirty, whole)
	out := outcome{reports: map[world.Key]*compile.Report{}, warnings: e.annotations(dirty)}
	reports := compile.NewReports(e.world)
	for key := range dirty.Policies {
		out.reports[key] = e.report(ctx, reports, key)
	}
	out.chains, e.renewed = e.renewed, map[string]envoy.Generations{}
	out.update.Set, out.update.Remove = e.ledger.take()
	out.update.Units = e.ledger.takeUnits()
	out.update.Proxies, out.update.GoneProxies = e.proxies(dirty.Proxies)
	out.news = e.notebook.take()
	if config := e.world.Config(); config != e.config {
		e.config, out.config, out.unusable = config, config, e.unusable
	}
	return out
}

// addAll makes everything that there is dirty.
func (e *engine) addAll(dirty *world.Dirty) {
	for _, key := range e.world.Services() {
		dirty.Services[key] = struct{}{}
	}
	for _, key := range e.world.Accounts() {
		dirty.Accounts[key] = struct{}{}
	}
	dirty.Addresses = true
	for _, namespace := range e.world.Namespaces() {
		dirty.Namespaces[namespace] = struct{}{}
	}
	for _, id := range e.world.Proxies() {
		dirty.Proxies[id] = struct{}{}
	}
	for _, view := range e.world.Views() {
		dirty.Views[view] = struct{}{}
	}
	for _, maker := range e.world.Makers() {
		dirty.Makers[maker] = struct{}{}
	}
	for _, key := range e.world.Policies() {
		dirty.Policies[key] = struct{}{}
	}
}

// forgetGoneViews drops what is remembered of views that went while no server ran.
func (e *engine) forgetGoneViews() {
	for view := range e.chains {
		if e.world.View(view) == nil {
			delete(e.chains, view)
			e.renewed[view] = nil
		}
	}
}

// common compiles what is nobody's own; the error is told in the MeshConfig's status.
func (e *engine) common(ctx context.Context) error {
	u := unit.ID{Kind: kindCommon}
	var resources []envoy.Resource
	err := guarded(kindCommon, func() (err error) {
		resources, err = envoy.Common(e.roots)
		return err
	})
	if err != nil {
		failed(ctx, u, err, "what was sent before stays")
		return err
	}
	e.ledger.put(u, resources)
	return nil
}

// workload compiles a view, and marks the policies whose report it concerns:
// those that have a part of it as target and had none, or the other way round,
// and, where its ports are others, open or closed otherwise, or others are denied
// at the first byte, all that have.
func (e *engine) workload(ctx context.Context, view string, policies map[world.Key]struct{}) {
	u := unit.ID{Kind: kindWorkload, Name: view}
	targetedBefore, shapeBefore := e.policies[view], e.shapes[view]
	delete(e.policies, view)
	build := func(compiled func(*world.World, string) (model.Workload, []world.Key, bool)) error {
		return guarded(kindWorkload, func() error {
			workload, targeting, ok := compiled(e.world, view)
			if !ok {
				e.ledger.put(u, nil)
				delete(e.chains, view)
				e.audits.remove(view)
				delete(e.shapes, view)
				e.renewed[view] = nil
				return nil
			}
			chains := envoy.NextGenerations(e.chains[view], workload)
			resources, err := envoy.Workload(compile.Mesh(e.world), workload, e.roots, chains)
			if err != nil {
				return err
			}
			e.ledger.put(u, resources)
			e.backlog.spend(resources)
			e.audits.put(workload)
			e.shapes[view] = shapeOf(compile.Mesh(e.world), workload)
			e.chains[view], e.renewed[view] = chains, chains
			if len(targeting) > 0 {
				e.policies[view] = targeting
			}
			return nil
		})
	}
	if err := build(compile.Workload); err != nil {
		failed(ctx, u, err, "it admits no caller")
		if err := build(compile.ClosedWorkload); err != nil {
			failed(ctx, u, err, "what was sent before stays")
		}
	}
	if e.shapes[view] != shapeBefore {
		for _, key := range slices.Concat(targetedBefore, e.policies[view]) {
			policies[key] = struct{}{}
		}
		return
	}
	markDifference(policies, targetedBefore, e.policies[view])
}

// shapeOf writes down a workload's ports, which of them are closed, and what is
// denied there at the first byte, which hangs on whom else they admit.
func shapeOf(m model.Mesh, w model.Workload) string {
	var shape strings.Builder
	for _, p := range w.Ports {
		fmt.Fprintf(&shape, "%d %s %t %s\n", p.Number, p.Protocol, p.Access.Closed, compile.AtFirstByte(m, p))
	}
	return shape.String()
}

// markDifference marks what is in one of two lists alone.
func markDifference(marked map[world.Key]struct{}, a, b []world.Key) {
	in := make(map[world.Key]int, len(a)+len(b))
	for _, key := range a {
		in[key] |= 1
	}
	for _, key := range b {
		in[key] |= 2
	}
	for key, lists := range in {
		if lists != 3 {
			marked[key] = struct{}{}
		}
	}
}

// report says what there is to say of a policy, nil if it is gone.
func (e *engine) report(ctx context.Context, reports *compile.Reports, key world.Key) *compile.Report {
	var out *compile.Report
	err := guarded(kindPolicy, func() error {
		if report, ok := reports.Policy(key); ok {
			out = &report
		}
		return nil
	})
	if err == nil {
		return out
	}
	failed(ctx, unit.ID{Kind: kindPolicy, Name: key.String()}, err, "its workloads admit no caller")
	policy := e.world.Policy(key)
	return &compile.Report{
		UID:        policy.UID,
		Generation: policy.Generation,
		Reason:     compile.ReasonInvalid,
		Message:    "the policy cannot be compiled; the workloads that it may speak of admit no caller",
	}
}

// proxies tells which of the proxies that changed are there, and which are gone.
func (e *engine) proxies(changed map[model.ProxyID]struct{}) (there []model.Proxy, gone []model.ProxyID) {
	ids := slices.SortedFunc(maps.Keys(changed), compareProxies)
	for _, id := range ids {
		if proxy, ok := e.world.Proxy(id); ok {
			there = append(there, proxy)
		} else {
			gone = append(gone, id)
		}
	}
	return there, gone
}

// guarded runs the compilation of one unit. A panic becomes its error, so that
// one bad object never hurts its neighbours.
func guarded(kind string, compile func() error) (err error) {
	defer timed(kind, time.Now())
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return compile()
}

func failed(ctx context.Context, u unit.ID, err error, effect string) {
	compileFailures.WithLabelValues(u.Kind).Inc()
	klog.FromContext(ctx).Error(err, "Cannot compile", "kind", u.Kind, "name", u.Name, "effect", effect)
}
