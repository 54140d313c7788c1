// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package status writes onto our objects what has become of them: conditions,
// and counts of the proxies that obey.
package status

import (
	"context"
	"fmt"
	"sync"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/ack"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/loop"
)

// pause is the shortest time between two writes of one object's status.
const pause = time.Second

// settle is how long a new report waits for the proxies: ACKs come within
// milliseconds, and one write then says it all.
const settle = 50 * time.Millisecond

// returning is how long after the start of this server proxies are expected to
// connect again: they try every 5 s at the latest (envoy's bootstrap), all of them
// at once. Until then "every connected proxy" says little.
const returning = 30 * time.Second

// workers is how many objects are written at once.
const workers = 4

// FieldManager is who writes, in managedFields.
const FieldManager = "mesh-apiserver"

// Proxies is what the xDS server knows of how far proxies are with units. When that
// changes the Writer is to be told, by Notify, once after each question.
type Proxies interface {
	Units(...unit.ID) ack.State
}

// name is an object of one of the kinds.
type name struct {
	kind string
	types.NamespacedName
}

// Writer writes status while it runs. It writes on change only, and at most once a
// second an object; Reports and notifications never wait for it.
type Writer struct {
	targets  map[string]Target
	proxies  Proxies
	recorder events.EventRecorder
	now      func() time.Time
	// settled is when proxies that were connected before the start have returned.
	settled time.Time

	mu sync.Mutex
	// queue is nil unless Run runs.
	queue   workqueue.TypedRateLimitingInterface[name]
	reports map[name]report.Report
	// carried are the objects that a unit's resources carry out.
	carried map[unit.ID]map[name]struct{}
	// written is when an object's status was written last.
	written map[name]time.Time
}

// New makes a Writer for some kinds.
func New(proxies Proxies, recorder events.EventRecorder, targets ...Target) *Writer {
	w := &Writer{
		targets:  map[string]Target{},
		proxies:  proxies,
		recorder: recorder,
		now:      time.Now,
		settled:  time.Now().Add(returning),
		reports:  map[name]report.Report{},
		carried:  map[unit.ID]map[name]struct{}{},
		written:  map[name]time.Time{},
	}
	for _, target := range targets {
		w.targets[target.Kind] = target
	}
	return w
}

// Report takes in what there is to say of an object, after the resources that carry
// it out have been handed over; nil says that the object is gone.
func (w *Writer) Report(kind string, key types.NamespacedName, r *report.Report) {
	n := name{kind, key}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.reports[n].Units {
		delete(w.carried[id], n)
		if len(w.carried[id]) == 0 {
			delete(w.carried, id)
		}
	}
	if r == nil {
		delete(w.reports, n)
		delete(w.written, n)
		if gone := w.targets[kind].Gone; gone != nil {
			gone(key)
		}
		return
	}
	w.reports[n] = *r
	for _, id := range r.Units {
		if w.carried[id] == nil {
			w.carried[id] = map[name]struct{}{}
		}
		w.carried[id][n] = struct{}{}
	}
	w.enqueue(n, settle)
}

// Notify takes in that proxies have come, gone, or answered that have to ACK a unit,
// or that they have other resources of it to ACK.
func (w *Writer) Notify(id unit.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range w.carried[id] {
		w.enqueue(n, 0)
	}
}

// Look takes in that what an object's kind alone has in its status has changed.
func (w *Writer) Look(kind string, key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enqueue(name{kind, key}, 0)
}

// enqueue has an object looked at. It is called with mu held.
func (w *Writer) enqueue(n name, after time.Duration) {
	if w.queue != nil {
		w.queue.AddAfter(n, after)
	}
}

// Run writes until ctx ends, from what is known at its beginning on. It may run again
// when it has returned.
func (w *Writer) Run(ctx context.Context) {
	loop.Run(ctx, w.begin(), workers, w.next)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = nil
}

// begin makes the queue, with all that there is.
func (w *Writer) begin() workqueue.TypedRateLimitingInterface[name] {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[name](10*time.Millisecond, 30*time.Second))
	for n := range w.reports {
		w.enqueue(n, settle)
	}
	return w.queue
}

// next writes one object's status, or says when it may.
func (w *Writer) next(ctx context.Context, n name) (time.Duration, error) {
	if wait := w.wait(n); wait > 0 {
		return wait, nil
	}
	err := w.write(ctx, n)
	switch {
	case apierrors.IsNotFound(err):
		return 0, nil
	case err != nil && !apierrors.IsConflict(err):
		klog.FromContext(ctx).Error(err, "Cannot write a status, will try again", "kind", n.kind, "object", n.String())
	}
	return 0, err
}

// wait is how long an object's status must not be written yet.
func (w *Writer) wait(n name) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.written[n]
	if !ok {
		return 0
	}
	return pause - w.now().Sub(last)
}

func (w *Writer) write(ctx context.Context, n name) error {
	w.mu.Lock()
	r, ok := w.reports[n]
	w.mu.Unlock()
	if !ok {
		return nil
	}
	target := w.targets[n.kind]
	object, err := target.Get(n.NamespacedName)
	if err != nil || object.GetUID() != r.UID || object.GetGeneration() != r.Generation {
		// Another report is on its way.
		return err
	}
	_, before := target.Edit(object)
	edited, fields := target.Edit(object)
	w.fill(n, target, edited, fields, r)
	if apiequality.Semantic.DeepEqual(before.Status, fields.Status) {
		return nil
	}
	if err := target.Write(ctx, edited); err != nil {
		return fmt.Errorf("update the status of %s %s: %w", n.kind, n.NamespacedName, err)
	}
	w.tell(edited, *before.Conditions, *fields.Conditions)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.reports[n]; there {
		w.written[n] = w.now()
	}
	return nil
}

// fill makes the status of an object what it is to be.
func (w *Writer) fill(n name, target Target, object Object, fields Fields, r report.Report) {
	var state ack.State
	returning := false
	if fields.Proxies != nil {
		state = w.proxies.Units(r.Units...)
		if left := w.settled.Sub(w.now()); left > 0 {
			returning = true
			w.queue.AddAfter(n, left)
		}
	}
	setConditions(target, fields, r, state, naming{n.Namespace, r.Anywhere}, returning)
	if target.Own != nil {
		target.Own(object)
	}
}
