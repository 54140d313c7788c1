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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/chains"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/status"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
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

// Telemetry is what the controller needs of what proxies push.
type Telemetry interface {
	status.Audits
	// Forget drops what is known of a policy, "<namespace>/<name>".
	Forget(policy string)
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
	Telemetry Telemetry
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
	telemetry       Telemetry
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
		status: status.New(o.Delivery, recorder,
			status.MeshPolicies(o.Client, o.Mesh.Mesh().V1alpha1().MeshPolicies().Lister(), o.Telemetry),
			status.MeshConfigs(o.Client, o.Mesh.Mesh().V1alpha1().MeshConfigs().Lister())),
		refusals: newRefusals(o.Host, recorder),

		events:          o.Events,
		trustDomain:     o.TrustDomain,
		systemNamespace: o.SystemNamespace,
		audits:          newAudits(),
		mishaps:         newMishaps(),
		telemetry:       o.Telemetry,
		registered:      registered,
	}, nil
}

// SetRoots gives the certificates that workloads trust, in PEM. Nothing is
// delivered before it has been called.
func (c *Controller) SetRoots(pem []byte) {
	c.inbox.put(func(e *engine) { e.setRoots(pem) })
}

// Notify says that how far proxies are with a unit may have changed. It is the
// Notify of the xDS server's options.
func (c *Controller) Notify(id unit.ID) { c.status.Notify(id) }

// Refused says that a proxy has refused a resource. It is the Refused of the
// xDS server's options.
func (c *Controller) Refused(nack xds.Nack) {
	c.inbox.put(func(e *engine) { c.refusals.tell(e.ledger.owner(nack), nack) })
}

// Audited gives the Audit policies of a view by inbound port.
func (c *Controller) Audited(view string) map[uint16]model.Audit { return c.audits.of(view) }

// Counted says that the counts of an Audit policy, "<namespace>/<name>", have changed.
func (c *Controller) Counted(policy string) {
	namespace, name, _ := strings.Cut(policy, "/")
	c.status.Look(status.KindMeshPolicy, types.NamespacedName{Namespace: namespace, Name: name})
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
	var writer sync.WaitGroup
	writer.Go(func() { c.status.Run(ctx) })
	defer writer.Wait()

	e := newEngine(c.trustDomain)
	e.world.SetSystemNamespace(c.systemNamespace)
	e.audits = c.audits
	remembered, err := c.chains.Load(ctx)
	if err != nil {
		return err
	}
	e.remember(remembered)
	for {
		c.batch(ctx, e)
		select {
		case <-ctx.Done():
			return nil
		case <-c.inbox.wake:
		}
	}
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
func (c *Controller) batch(ctx context.Context, e *engine) {
	start := time.Now()
	for _, event := range c.inbox.take() {
		event(e)
	}
	if len(e.roots) == 0 {
		// Nothing can be said without roots; the proxies wait.
		return
	}
	if err := c.database(ctx, e.stored); err != nil {
		c.hold(ctx, err)
		return
	}
	e.stored = false
	out := e.step(ctx)
	c.delivery.Apply(out.update)
	if e.backlog.waits() {
		c.inbox.poke()
	}
	for view, generations := range out.chains {
		c.chains.Keep(ctx, view, generations)
	}
	c.record(out.news)
	for key, report := range out.reports {
		c.status.Report(status.KindMeshPolicy, key, policyReport(report, key.Namespace == c.systemNamespace))
		if report == nil || !report.Audit {
			c.telemetry.Forget(key.String())
		}
	}
	warn(c.events, out.warnings)
	if out.config != nil {
		c.status.Report(status.KindMeshConfig, types.NamespacedName{Name: out.config.Name}, configReport(out.config, out.unusable))
	}
	if !c.ready.Swap(true) {
		c.delivery.SetReady()
	}
	batchSeconds.Observe(time.Since(start).Seconds())
}
