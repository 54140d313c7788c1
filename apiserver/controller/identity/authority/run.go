// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

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

// Run reconciles whenever the root's Secret or the bundle changes, until the
// context ends.
func (a *Authority) Run(ctx context.Context) {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 30*time.Second))
	go func() {
		<-ctx.Done()
		queue.ShutDown()
	}()
	secrets := a.watch(root.SecretName, informers.WithNamespace(a.namespace))
	bundles := a.watch(model.TrustBundle)
	enqueue := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { queue.Add("root") },
		UpdateFunc: func(any, any) { queue.Add("root") },
		DeleteFunc: func(any) { queue.Add("root") },
	}
	// AddEventHandler fails only on an informer that was stopped.
	_, _ = secrets.Core().V1().Secrets().Informer().AddEventHandler(enqueue)
	_, _ = bundles.Certificates().V1().ClusterTrustBundles().Informer().AddEventHandler(enqueue)
	secrets.StartWithContext(ctx)
	bundles.StartWithContext(ctx)
	queue.Add("root")

	for {
		key, shutdown := queue.Get()
		if shutdown {
			break
		}
		if err := a.Reconcile(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "Reconcile root and trust bundle")
			queue.AddRateLimited(key)
		} else {
			queue.Forget(key)
		}
		queue.Done(key)
	}
	secrets.Shutdown()
	bundles.Shutdown()
}

// watch makes informers that see only objects of one name, which is also all
// that the server's role lets it see.
func (a *Authority) watch(name string, options ...informers.SharedInformerOption) informers.SharedInformerFactory {
	only := informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	})
	return informers.NewSharedInformerFactoryWithOptions(a.client, resync, append(options, only)...)
}
