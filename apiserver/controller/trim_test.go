// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestTrimTakesNothingThatIsRead compiles every golden input with and without it.
func TestTrimTakesNothingThatIsRead(t *testing.T) {
	inputs, err := filepath.Glob("testdata/features/*/in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, input := range inputs {
		objects := worldtest.Load(t, input)
		whole := loaded(objects)
		whole.step(t.Context())
		var trimmed []metav1.Object
		for _, object := range objects {
			copied := object.(runtime.Object).DeepCopyObject()
			small, err := Trim(copied)
			if err != nil {
				t.Fatal(err)
			}
			trimmed = append(trimmed, small.(metav1.Object))
		}
		small := loaded(trimmed)
		small.step(t.Context())
		if !maps.Equal(whole.versions, small.versions) {
			t.Errorf("%s (-whole +trimmed):\n%s", input, cmp.Diff(whole.versions, small.versions))
		}
		said, saidOfTrimmed := newDelivered(), newDelivered()
		said.take(whole, engine.Outcome{})
		saidOfTrimmed.take(small, engine.Outcome{})
		if diff := cmp.Diff(said, saidOfTrimmed); diff != "" {
			t.Errorf("%s: what is said differs (-whole +trimmed):\n%s", input, diff)
		}
	}
}

func TestTrimTakesWhatIsNeverRead(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:          "p",
			Annotations:   map[string]string{"a": "b", metadata.MTLSAnnotation: "Permissive"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}},
		},
		Spec: corev1.PodSpec{
			NodeName:   "n",
			Containers: []corev1.Container{{Name: "app", Env: []corev1.EnvVar{{Name: "SECRET", Value: "x"}}}},
			Volumes:    []corev1.Volume{{Name: "data"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Message: "m"},
	}
	want := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Annotations: map[string]string{metadata.MTLSAnnotation: "Permissive"}},
		Spec:       corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "app"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	got, err := Trim(pod)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTrimLeavesOfRegistrationsWhomTheyCall(t *testing.T) {
	service := &admissionregistrationv1.ServiceReference{Namespace: "shop", Name: "operator"}
	meta := metav1.ObjectMeta{Name: "checks", UID: "1", ResourceVersion: "2", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"a": "b"}}
	got, err := Trim(&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: meta, Webhooks: []admissionregistrationv1.ValidatingWebhook{{
		Name: "a", ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: make([]byte, 1000), Service: service},
		Rules: []admissionregistrationv1.RuleWithOperations{{}}, NamespaceSelector: &metav1.LabelSelector{},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	want := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "checks", UID: "1", ResourceVersion: "2"},
		Webhooks:   []admissionregistrationv1.ValidatingWebhook{{ClientConfig: admissionregistrationv1.WebhookClientConfig{Service: service}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	to := &apiregistrationv1.ServiceReference{Namespace: "shop", Name: "operator"}
	if got, err = Trim(&apiregistrationv1.APIService{ObjectMeta: meta,
		Spec:   apiregistrationv1.APIServiceSpec{Service: to, Group: "g", CABundle: make([]byte, 1000)},
		Status: apiregistrationv1.APIServiceStatus{Conditions: []apiregistrationv1.APIServiceCondition{{Message: "m"}}},
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&apiregistrationv1.APIService{ObjectMeta: want.ObjectMeta, Spec: apiregistrationv1.APIServiceSpec{Service: to}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
