// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	certificatesinformers "k8s.io/client-go/informers/certificates/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/loop"
)

// item is the one thing in the queue.
const item = "root"

// resync bounds how long a missed change can go unnoticed.
const resync = 10 * time.Minute

// Start reconciles until it succeeds once, so that listeners which need the root
// come after it. It returns early only when the context ends.
func (a *Authority) Start(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		if err := a.Reconcile(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "Root and trust bundle are not ready; trying again")
			return false, nil
		}
		return true, nil
	})
}

// Run reconciles whenever the root's Secret or the bundle changes, until the context
// ends. It is called when proxies can connect.
func (a *Authority) Run(ctx context.Context) {
	a.begin()
	finish := a.watch(ctx)
	a.queue.Add(item)
	loop.Run(ctx, a.queue, 1, func(ctx context.Context, _ string) (time.Duration, error) {
		if err := a.Reconcile(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "Reconcile root and trust bundle")
			return 0, err
		}
		return a.again(), nil
	})
	finish()
}

// Lead has Run renew the root and keep the bundle, until the context ends.
func (a *Authority) Lead(ctx context.Context) {
	a.leading.Store(true)
	defer a.leading.Store(false)
	a.queue.Add(item)
	<-ctx.Done()
}

func (a *Authority) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serving = time.Now()
}

func (a *Authority) runs() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return !a.serving.IsZero()
}

// watch starts informers on the Secret and the bundle that fill the queue; by name,
// which is all that the server's role allows. The function that it gives waits for
// their end.
func (a *Authority) watch(ctx context.Context) (finish func()) {
	named := func(name string) func(*metav1.ListOptions) {
		return func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		}
	}
	var running sync.WaitGroup
	for _, informer := range []cache.SharedIndexInformer{
		coreinformers.NewFilteredSecretInformer(a.client, a.namespace, resync, cache.Indexers{}, named(root.SecretName)),
		certificatesinformers.NewFilteredClusterTrustBundleInformer(a.client, resync, cache.Indexers{}, named(sidecar.TrustBundle)),
	} {
		// AddEventHandler fails only on an informer that was stopped.
		_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { a.queue.Add(item) },
			UpdateFunc: func(any, any) { a.queue.Add(item) },
			DeleteFunc: func(any) { a.queue.Add(item) },
		})
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	return running.Wait
}
