// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissionregistrationapply "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	admissionregistrationinformers "k8s.io/client-go/informers/admissionregistration/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	apiregistrationapply "k8s.io/kube-aggregator/pkg/client/applyconfiguration/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	apiregistrationinformers "k8s.io/kube-aggregator/pkg/client/informers/externalversions/apiregistration/v1"
)

// ours takes the field over from whoever wrote it: manifests leave it out.
var ours = metav1.ApplyOptions{FieldManager: "mesh-apiserver", Force: true}

// target is an object whose caBundle the server owns.
type target interface {
	// ensure reads the object and tells whether it carries the bundle; if not, and write
	// is set, it applies it, to be seen by the next read. An object that is absent is an
	// error that satisfies apierrors.IsNotFound.
	ensure(ctx context.Context, bundle []byte, write bool) (seen bool, err error)
	// informer tells of changes of this object alone.
	informer() cache.SharedIndexInformer
	// String names the object for people.
	String() string
}

type apiService struct {
	client aggregator.Interface
	name   string
}

func (t *apiService) String() string { return "APIService " + t.name }

func (t *apiService) informer() cache.SharedIndexInformer {
	return apiregistrationinformers.NewFilteredAPIServiceInformer(t.client, 0, cache.Indexers{}, named(t.name))
}

// ensure sends the UID, so that an object which was deleted meanwhile is not made
// of a caBundle alone.
func (t *apiService) ensure(ctx context.Context, bundle []byte, write bool) (bool, error) {
	services := t.client.ApiregistrationV1().APIServices()
	object, err := services.Get(ctx, t.name, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("read %s: %w", t, err)
	}
	if seen := bytes.Equal(object.Spec.CABundle, bundle); seen || !write {
		return seen, nil
	}
	patch := apiregistrationapply.APIService(t.name).WithUID(object.UID).
		WithSpec(apiregistrationapply.APIServiceSpec().WithCABundle(bundle...))
	if _, err := services.Apply(ctx, patch, ours); err != nil {
		return false, fmt.Errorf("apply caBundle of %s: %w", t, err)
	}
	return false, nil
}

type webhookConfiguration struct {
	client kubernetes.Interface
	name   string
}

func (t *webhookConfiguration) String() string { return "MutatingWebhookConfiguration " + t.name }

func (t *webhookConfiguration) informer() cache.SharedIndexInformer {
	return admissionregistrationinformers.NewFilteredMutatingWebhookConfigurationInformer(t.client, 0, cache.Indexers{}, named(t.name))
}

func (t *webhookConfiguration) ensure(ctx context.Context, bundle []byte, write bool) (bool, error) {
	configurations := t.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	object, err := configurations.Get(ctx, t.name, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("read %s: %w", t, err)
	}
	seen := true
	patch := admissionregistrationapply.MutatingWebhookConfiguration(t.name).WithUID(object.UID)
	for _, w := range object.Webhooks {
		seen = seen && bytes.Equal(w.ClientConfig.CABundle, bundle)
		patch.WithWebhooks(admissionregistrationapply.MutatingWebhook().WithName(w.Name).
			WithClientConfig(admissionregistrationapply.WebhookClientConfig().WithCABundle(bundle...)))
	}
	if seen || !write {
		return seen, nil
	}
	if _, err := configurations.Apply(ctx, patch, ours); err != nil {
		return false, fmt.Errorf("apply caBundle of %s: %w", t, err)
	}
	return false, nil
}
