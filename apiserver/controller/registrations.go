// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"time"

	admissionregistrationinformers "k8s.io/client-go/informers/admissionregistration/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	apiregistrationinformers "k8s.io/kube-aggregator/pkg/client/informers/externalversions/apiregistration/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Registrations are the informers of the objects by which kube-apiserver calls
// Services. What is told by them is for users alone, so a server whose rights are
// older than it does without: it waits for them only so long as registrationsWait.
type Registrations struct {
	validating, mutating, apiServices cache.SharedIndexInformer
}

// registrationsWait is how long a start waits, so that the first Event about a
// Service has all that there is to say: later ones are taken for repetitions.
const registrationsWait = 5 * time.Second

// awaitRegistrations waits until all are known, or for as long as is worth it.
func (c *Controller) awaitRegistrations(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, registrationsWait)
	defer cancel()
	cache.WaitForCacheSync(ctx.Done(), c.registered...)
}

// NewRegistrations makes them. The caller runs them, after New.
func NewRegistrations(host kubernetes.Interface, aggregator aggregator.Interface) (*Registrations, error) {
	r := &Registrations{
		validating:  admissionregistrationinformers.NewValidatingWebhookConfigurationInformer(host, 0, cache.Indexers{}),
		mutating:    admissionregistrationinformers.NewMutatingWebhookConfigurationInformer(host, 0, cache.Indexers{}),
		apiServices: apiregistrationinformers.NewAPIServiceInformer(aggregator, 0, cache.Indexers{}),
	}
	for _, informer := range r.All() {
		if err := informer.SetTransform(Trim); err != nil {
			return nil, fmt.Errorf("prepare the informers of who is called by kube-apiserver: %w", err)
		}
	}
	return r, nil
}

// All gives each informer.
func (r *Registrations) All() []cache.SharedIndexInformer {
	return []cache.SharedIndexInformer{r.validating, r.mutating, r.apiServices}
}

// watch registers the inbox with them. The registrations say when the world has been
// told all that there was at first.
func (r *Registrations) watch(in *inbox) ([]cache.InformerSynced, error) {
	if r == nil {
		return nil, nil
	}
	var synced []cache.InformerSynced
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		r.validating:  handler(in.put, (*world.World).SetValidatingWebhooks, (*world.World).DeleteValidatingWebhooks),
		r.mutating:    handler(in.put, (*world.World).SetMutatingWebhooks, (*world.World).DeleteMutatingWebhooks),
		r.apiServices: handler(in.put, (*world.World).SetAPIService, (*world.World).DeleteAPIService),
	} {
		registration, err := informer.AddEventHandler(handler)
		if err != nil {
			return nil, fmt.Errorf("watch who is called by kube-apiserver: %w", err)
		}
		synced = append(synced, registration.HasSynced)
	}
	return synced, nil
}
