// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/loop"
)

// item is the one thing in the queue.
const item = "serving"

// Run uses the pair that the Secret holds, as it changes, and tells by Ready whether
// the bundles are out, until the context ends.
func (s *Serving) Run(ctx context.Context) error {
	finish := s.watch(ctx, s.queue)
	s.queue.Add(item)
	loop.Run(ctx, s.queue, 1, func(ctx context.Context, _ string) (time.Duration, error) {
		next, err := s.reconcile(ctx)
		if err != nil {
			klog.FromContext(ctx).Error(err, "Keep the serving pair and its caBundles")
		}
		return next, err
	})
	finish()
	return nil
}

// Lead has Run keep the bundles and renew the pair, until the context ends; it may be
// called again. Of several servers one does so at a time.
func (s *Serving) Lead(ctx context.Context) error {
	s.leading.Store(true)
	defer s.leading.Store(false)
	s.queue.Add(item)
	<-ctx.Done()
	return nil
}

// watch starts informers on the Secret and the targets that fill the queue. The
// function that it gives waits for their end.
func (s *Serving) watch(ctx context.Context, queue workqueue.TypedInterface[string]) (finish func()) {
	secret := coreinformers.NewFilteredSecretInformer(s.client, s.namespace, 0, cache.Indexers{}, named(SecretName))
	all := []cache.SharedIndexInformer{secret}
	for _, t := range s.targets {
		all = append(all, t.informer())
	}
	var running sync.WaitGroup
	for _, informer := range all {
		// AddEventHandler fails only on an informer that was stopped.
		_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { queue.Add(item) },
			UpdateFunc: func(any, any) { queue.Add(item) },
			DeleteFunc: func(any) { queue.Add(item) },
		})
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	return running.Wait
}

// named confines a watch to one object, which is all that the server's role allows.
func named(name string) func(*metav1.ListOptions) {
	return func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	}
}
