// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package status writes onto our objects what has become of them: conditions,
// and counts of the proxies that obey.
package status

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/loop"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/informers/externalversions"
	listers "github.com/openservicemesh/mesh-apiserver/generated/listers/mesh/v1alpha1"
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

// fieldManager is who writes, in managedFields.
const fieldManager = "mesh-apiserver"

// Proxies is what the xDS server knows of the proxies of a view.
type Proxies interface {
	View(view string) xds.ViewState
}

// Writer writes status. It writes on change only, and at most once a second an
// object; Reports and notifications never wait for it.
type Writer struct {
	client   versioned.Interface
	policies listers.MeshPolicyLister
	configs  listers.MeshConfigLister
	proxies  Proxies
	recorder events.EventRecorder
	audits   Audits
	// queue has names of policies; the MeshConfig has no namespace.
	queue workqueue.TypedRateLimitingInterface[types.NamespacedName]
	now   func() time.Time
	// settled is when proxies that were connected before the start have returned.
	settled time.Time

	mu      sync.Mutex
	reports map[types.NamespacedName]compile.Report
	// byView are the policies that affect a view.
	byView map[string]map[types.NamespacedName]struct{}
	// inUse is the MeshConfig of the last compilation; unusable is why it failed.
	inUse    *v1alpha1.MeshConfig
	unusable error
	// written is when an object's status was written last.
	written map[types.NamespacedName]time.Time
}

// New makes a Writer. The informers are the caller's to start.
func New(client versioned.Interface, informers externalversions.SharedInformerFactory, proxies Proxies, recorder events.EventRecorder) *Writer {
	return &Writer{
		client:   client,
		policies: informers.Mesh().V1alpha1().MeshPolicies().Lister(),
		configs:  informers.Mesh().V1alpha1().MeshConfigs().Lister(),
		proxies:  proxies,
		recorder: recorder,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](10*time.Millisecond, 30*time.Second)),
		now:     time.Now,
		settled: time.Now().Add(returning),
		reports: map[types.NamespacedName]compile.Report{},
		byView:  map[string]map[types.NamespacedName]struct{}{},
		written: map[types.NamespacedName]time.Time{},
	}
}

// Report takes in what has been compiled of a policy, after its resources have
// been handed over; nil says that the policy is gone.
func (w *Writer) Report(key types.NamespacedName, report *compile.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, view := range w.reports[key].Views {
		delete(w.byView[view], key)
		if len(w.byView[view]) == 0 {
			delete(w.byView, view)
		}
	}
	if report == nil {
		delete(w.reports, key)
		delete(w.written, key)
		return
	}
	w.reports[key] = *report
	for _, view := range report.Views {
		if w.byView[view] == nil {
			w.byView[view] = map[types.NamespacedName]struct{}{}
		}
		w.byView[view][key] = struct{}{}
	}
	w.queue.AddAfter(key, settle)
}

// Notify takes in that the proxies of a view have come, gone, or answered.
func (w *Writer) Notify(view string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.byView[view] {
		w.queue.Add(key)
	}
}

// InUse takes in that everything has been compiled with a MeshConfig; unusable
// says that its settings could not be.
func (w *Writer) InUse(config *v1alpha1.MeshConfig, unusable error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inUse, w.unusable = config, unusable
	w.queue.Add(types.NamespacedName{Name: config.Name})
}

// Run writes until ctx ends.
func (w *Writer) Run(ctx context.Context) { loop.Run(ctx, w.queue, workers, w.next) }

// next writes one object's status, or says when it may.
func (w *Writer) next(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	if wait := w.wait(key); wait > 0 {
		return wait, nil
	}
	err := w.write(ctx, key)
	switch {
	case apierrors.IsNotFound(err):
		return 0, nil
	case err != nil && !apierrors.IsConflict(err):
		klog.FromContext(ctx).Error(err, "Cannot write a status, will try again", "object", key.String())
	}
	return 0, err
}

// wait is how long an object's status must not be written yet.
func (w *Writer) wait(key types.NamespacedName) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.written[key]
	if !ok {
		return 0
	}
	return pause - w.now().Sub(last)
}

func (w *Writer) write(ctx context.Context, key types.NamespacedName) error {
	if key.Namespace == "" {
		return w.writeConfig(ctx, key)
	}
	return w.writePolicy(ctx, key)
}

func (w *Writer) wrote(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written[key] = w.now()
}
