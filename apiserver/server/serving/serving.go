// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package serving manages the certificate by which the API (8443) and the webhooks
// (9443) are known: it keeps the pair in a Secret, owns the caBundle of the objects
// that send kube-apiserver here, and renews both without a restart. A new pair is
// used only after its certificate has been seen in every bundle.
package serving

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Serving is a dynamic certificate and key for any number of listeners.
type Serving struct {
	client    kubernetes.Interface
	namespace string
	names     []string
	targets   []target
	queue     workqueue.TypedRateLimitingInterface[string]
	// leading is set while Lead runs.
	leading atomic.Bool

	mu        sync.RWMutex
	held      *content
	listeners []dynamiccertificates.Listener
	// missing says which bundle is not out yet, nil if all are.
	missing error
}

var _ dynamiccertificates.CertKeyContentProvider = &Serving{}

// New makes a Serving for the Service mesh-apiserver of a system namespace. It owns
// the caBundle of the named APIServices, and of all webhooks in the named
// MutatingWebhookConfigurations.
func New(client kubernetes.Interface, aggregator aggregator.Interface, systemNamespace string, apiServices, webhooks []string) *Serving {
	s := &Serving{
		client:    client,
		namespace: systemNamespace,
		names: []string{
			sidecar.ControlPlaneName(systemNamespace),
			"mesh-apiserver." + systemNamespace,
			"mesh-apiserver",
		},
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 30*time.Second)),
		missing: errNotApplied,
	}
	for _, name := range apiServices {
		s.targets = append(s.targets, &apiService{client: aggregator, name: name})
	}
	for _, name := range webhooks {
		s.targets = append(s.targets, &webhookConfiguration{client: client, name: name})
	}
	return s
}

// Start reads or creates the pair, trying until it has one, so that listeners come
// after it. It returns early only when the context ends.
func (s *Serving) Start(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		_, c, err := s.read(ctx)
		if err != nil {
			klog.FromContext(ctx).Error(err, "The serving pair is not ready; trying again")
			return false, nil
		}
		s.use(ctx, c)
		return true, nil
	})
}

// Ready tells which object does not carry the bundle yet, nil if all that exist do.
func (s *Serving) Ready() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.missing
}

// Name identifies the provider.
func (s *Serving) Name() string { return "mesh-apiserver-serving" }

// CurrentCertKeyContent gives certificate and key, PEM; nil before Start.
func (s *Serving) CurrentCertKeyContent() (certificate, key []byte) {
	c := s.content()
	if c == nil {
		return nil, nil
	}
	return c.current.certificate, c.current.key
}

// AddListener has a listener told of every new pair.
func (s *Serving) AddListener(l dynamiccertificates.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
}

func (s *Serving) content() *content {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.held
}

// use takes up what the Secret holds and tells listeners of a new pair.
func (s *Serving) use(ctx context.Context, c content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.held == nil || !bytes.Equal(s.held.current.certificate, c.current.certificate)
	s.held = &c
	if !changed {
		return
	}
	notAfter.Set(float64(c.current.leaf.NotAfter.Unix()))
	klog.FromContext(ctx).Info("Serving with a new certificate", "serial", c.current.leaf.SerialNumber, "notAfter", c.current.leaf.NotAfter)
	for _, l := range s.listeners {
		l.Enqueue()
	}
}
