// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controller joins the rooms: informers fill the world, compile and
// envoy make resources of what has changed, xds delivers them, and status says
// what came of it.
package controller

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/chains"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/all"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/status"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/informers/externalversions"
)

// Delivery is what the controller needs of the xDS server.
type Delivery interface {
	status.Proxies
	// Apply takes in what one batch has changed.
	Apply(xds.Update)
	// SetReady says that all there is has been applied once.
	SetReady()
}

// Options are what a Controller works with.
type Options struct {
	// Host and Mesh are the informers of the cluster and of our own kinds, made
	// with Trim as their transform. The caller starts them, after New.
	Host informers.SharedInformerFactory
	Mesh externalversions.SharedInformerFactory
	// Registrations tell who is called by kube-apiserver; nil tells nothing. The
	// caller runs them, after New.
	Registrations *Registrations
	// Client writes the status of our own kinds.
	Client versioned.Interface
	// Delivery gets the resources.
	Delivery Delivery
	// Chains keeps the names of filter chains through restarts. It runs by itself.
	Chains *chains.Store
	// Database tells why nothing may be made of what is in the database, nil if it may.
	// changed says that objects of our own kinds are others than at the last call that
	// gave nil. After LookAgain it is asked anew. Nil always may.
	Database func(ctx context.Context, changed bool) error
	// Events shows what users must see of objects without a status of ours; nil
	// shows nothing.
	Events events.EventRecorder
	// TrustDomain is the SPIFFE trust domain that the MeshConfig is made with.
	TrustDomain string
	// SystemNamespace has the policies that apply to every namespace.
	SystemNamespace string
	// Telemetry has what Audit policies would have done.
	Telemetry kinds.Audits
}

// Controller turns the world into resources, for as long as it runs.
type Controller struct {
	inbox    *inbox
	synced   []cache.InformerSynced
	delivery Delivery
	status   *status.Writer
	chains   *chains.Store
	ready    atomic.Bool
	database func(ctx context.Context, changed bool) error
	// held wakes the loop while a database may not be used.
	held     *time.Timer
	refusals refusals

	events          events.EventRecorder
	trustDomain     string
	systemNamespace string
	audits          *audits
	mishaps         *mishaps
	// registered are the informers of Registrations.
	registered []cache.InformerSynced
}

// New makes a Controller and registers it with the informers.
func New(o Options) (*Controller, error) {
	registerMetrics()
	in := newInbox()
	synced, err := watchAll(in, o)
	if err != nil {
		return nil, err
	}
	registered, err := o.Registrations.watch(in)
	if err != nil {
		return nil, err
	}
	recorder := o.Events
	if recorder == nil {
		recorder = noEvents{}
	}
	database := o.Database
	if database == nil {
		database = func(context.Context, bool) error { return nil }
	}
	return &Controller{
		inbox:    in,
		database: database,
		held:     time.AfterFunc(holdLook, in.poke),
		synced:   synced,
		delivery: o.Delivery,
		chains:   o.Chains,
		status:   status.New(o.Delivery, recorder, targets(o)...),
		refusals: refusals{recorder},

		events:          o.Events,
		trustDomain:     o.TrustDomain,
		systemNamespace: o.SystemNamespace,
		audits:          newAudits(),
		mishaps:         newMishaps(),
		registered:      registered,
	}, nil
}

// targets are those of the kinds whose status is ours.
func targets(o Options) []status.Target {
	var found []status.Target
	for _, source := range all.Sources {
		if source.Target != nil {
			found = append(found, source.Target(kinds.Clients{Informers: kinds.Informers{Host: o.Host, Mesh: o.Mesh}, Client: o.Client, Audits: o.Telemetry}))
		}
	}
	return found
}

// SetRoots gives the certificates that workloads trust, in PEM. Nothing is
// delivered before it has been called.
func (c *Controller) SetRoots(pem []byte) {
	c.inbox.put(func(s *state) {
		s.World.SetRoots(pem)
		s.rooted = len(pem) > 0
	})
}

// Notify says that how far proxies are with a unit may have changed. It is the
// Notify of the xDS server's options.
func (c *Controller) Notify(id unit.ID) { c.status.Notify(id) }

// Refused says that a proxy has refused a resource. It is the Refused of the
// xDS server's options.
func (c *Controller) Refused(nack xds.Nack) {
	c.inbox.put(func(s *state) {
		c.refusals.tell(s.Object(envoy.Key{TypeURL: nack.TypeURL, Name: nack.Name, View: nack.View}), nack)
	})
}

// Audited gives the Audit policies of a view by inbound port.
func (c *Controller) Audited(view string) map[uint16]model.Audit { return c.audits.of(view) }

// Counted says that the counts of an Audit policy, "<namespace>/<name>", have changed.
func (c *Controller) Counted(policy string) {
	c.status.Look(meshpolicy.Name, world.ParseKey(policy))
}

// Ready is nil once everything that there was at the start has been applied.
func (c *Controller) Ready() error {
	if !c.ready.Load() {
		return errors.New("waiting for the informers and the workload roots")
	}
	return nil
}

// Run works until ctx ends. It compiles nothing before the informers have told
// all that there is: a half-known world would refuse what it need not refuse.
func (c *Controller) Run(ctx context.Context) error {
	ctx = klog.NewContext(ctx, klog.FromContext(ctx).WithName("controller"))
	if !cache.WaitForCacheSync(ctx.Done(), c.synced...) {
		return fmt.Errorf("wait for the informers: %w", context.Cause(ctx))
	}
	c.awaitRegistrations(ctx)
	w := world.New(c.trustDomain)
	w.SetSystemNamespace(c.systemNamespace)
	s := &state{Engine: engine.New(w, all.Kinds), returns: newReturns()}
	c.chains.Follow(func(view string) {
		c.inbox.put(func(s *state) { s.hear(view, c.chains.Take(ctx, view)) })
	})
	remembered, err := c.chains.Load(ctx)
	if err != nil {
		return err
	}
	for view, generations := range remembered {
		s.Remember(workload.ID(view), generations)
	}
	for {
		c.batch(ctx, s)
		select {
		case <-ctx.Done():
			return nil
		case <-c.inbox.wake:
		}
	}
}

// WriteStatuses writes what has become of our own objects, until ctx ends; it may be
// called again. Of several servers one does so at a time.
func (c *Controller) WriteStatuses(ctx context.Context) error {
	c.status.Run(klog.NewContext(ctx, klog.FromContext(ctx).WithName("controller")))
	return nil
}

// LookAgain has the loop ask anew whether what is in the database may be used. It
// does not wait.
func (c *Controller) LookAgain() { c.inbox.poke() }

// holdLook is how often a database is asked about that may not be used: it does not
// tell when it may.
const holdLook = time.Second

// hold leaves the proxies with what they have. What changes meanwhile is known, and
// delivered when the database may be used.
func (c *Controller) hold(ctx context.Context, why error) {
	klog.FromContext(ctx).V(4).Info("Proxies are sent nothing new", "why", why)
	c.held.Reset(holdLook)
}

// batch takes all events that wait and delivers what they change. It waits for
// no more: what comes meanwhile is the next batch.
func (c *Controller) batch(ctx context.Context, s *state) {
	start := time.Now()
	for _, event := range c.inbox.take() {
		event(s)
	}
	if !s.rooted {
		// Nothing can be said without roots; the proxies wait.
		return
	}
	if err := c.database(ctx, s.stored); err != nil {
		c.hold(ctx, err)
		return
	}
	s.stored = false
	out := s.Step(ctx)
	c.delivery.Apply(xds.Update{Set: out.Set, Remove: out.Removed, Units: out.Units, Proxies: out.Proxies, GoneProxies: out.GoneProxies})
	if s.Waits() {
		c.inbox.poke()
	}
	for id, memory := range out.Memories {
		generations, _ := memory.(envoy.Generations)
		c.chains.Keep(ctx, id.Name, generations)
	}
	for id, public := range out.Public {
		ports, _ := public.(map[uint16]model.Audit)
		c.audits.set(id.Name, ports)
	}
	c.record(out.News)
	countAnnotations(s.Engine)
	for id, report := range out.Reports {
		c.status.Report(id.Kind, world.ParseKey(id.Name), report)
	}
	if !c.ready.Swap(true) {
		c.delivery.SetReady()
	}
	batchSeconds.Observe(time.Since(start).Seconds())
}
