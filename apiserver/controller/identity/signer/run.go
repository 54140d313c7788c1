// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	informers "k8s.io/client-go/informers/certificates/v1"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/certificates/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/admission"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/loop"
)

const (
	// workers answer side by side; each waits for four calls a request.
	workers = 8
	// A doubt is looked at again after these, doubling.
	firstRetry, lastRetry = 50 * time.Millisecond, 10 * time.Second
)

// New makes a Signer that watches requests for sidecar.Signer alone. It has an issuer
// sign, while admission protects the requests; trust gives the published roots.
// systemNamespace is that of the control plane.
func New(client kubernetes.Interface, issuer Issuer, trust func() *x509.CertPool, w *admission.Watch, systemNamespace string, settings func() Settings) *Signer {
	informer := informers.NewFilteredPodCertificateRequestInformer(client, metav1.NamespaceAll, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc, byStub: stubOf}, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.signerName", sidecar.Signer).String()
	})
	return &Signer{
		client:    client,
		issuer:    issuer,
		trust:     trust,
		admission: w,
		settings:  settings,

		systemNamespace: systemNamespace,
		requests:        listers.NewPodCertificateRequestLister(informer.GetIndexer()),
		informer:        informer,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](firstRetry, lastRetry),
			workqueue.TypedRateLimitingQueueConfig[cache.ObjectName]{Name: "mesh_identity"}),
	}
}

// Run answers requests, those that were pending when it started among them, until
// the context ends.
func (s *Signer) Run(ctx context.Context) {
	enqueue := func(object any) {
		if name, err := cache.ObjectToName(object); err == nil {
			s.queue.Add(name)
		}
	}
	// AddEventHandler fails only on an informer that was stopped.
	_, _ = s.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object any) { enqueue(object) },
	})
	var running sync.WaitGroup
	running.Go(func() { s.informer.RunWithContext(ctx) })
	loop.Run(ctx, s.queue, workers, s.work)
	running.Wait()
}

// Ready tells why requests are not seen, nil if they are.
func (s *Signer) Ready() error {
	if !s.informer.HasSynced() {
		return errors.New("PodCertificateRequests have not been listed yet")
	}
	return nil
}

// work answers one request, or tells why it stays unanswered: at the usual
// verbosity at its first try, so that a fault which holds up every pod does not
// flood the log.
func (s *Signer) work(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	why := s.answer(ctx, key)
	if why == nil {
		return 0, nil
	}
	retries.Inc()
	verbosity := 0
	if s.queue.NumRequeues(key) > 0 {
		verbosity = 2
	}
	klog.FromContext(ctx).V(verbosity).Info("A certificate request stays unanswered", "request", key, "why", why.Error())
	return 0, why
}
