// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package worldtest fills a world from Kubernetes objects in YAML, for tests.
package worldtest

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Load reads a file of YAML documents.
func Load(t testing.TB, path string) []metav1.Object {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Decode(t, data)
}

// Decode reads YAML documents.
func Decode(t testing.TB, data []byte) []metav1.Object {
	t.Helper()
	var objects []metav1.Object
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		object, err := DecodeOne(document)
		if err != nil {
			t.Fatalf("decode %s: %v", document, err)
		}
		objects = append(objects, object)
	}
	return objects
}

// decoder knows what a world holds.
var decoder = sync.OnceValues(func() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, discoveryv1.AddToScheme, v1alpha1.AddToScheme, admissionregistrationv1.AddToScheme, apiregistrationv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), nil
})

// DecodeOne reads a YAML document, strictly.
func DecodeOne(document []byte) (metav1.Object, error) {
	d, err := decoder()
	if err != nil {
		return nil, err
	}
	object, _, err := d.Decode(document, nil, nil)
	if err != nil {
		return nil, err
	}
	switch o := object.(type) {
	case *corev1.Service, *discoveryv1.EndpointSlice, *corev1.Pod, *corev1.Namespace, *corev1.ServiceAccount,
		*v1alpha1.MeshPolicy, *v1alpha1.MeshConfig,
		*admissionregistrationv1.ValidatingWebhookConfiguration, *admissionregistrationv1.MutatingWebhookConfiguration, *apiregistrationv1.APIService:
		return o.(metav1.Object), nil
	default:
		return nil, fmt.Errorf("the mesh does not read a %T", object)
	}
}

// SystemNamespace has the server, and the administrators' policies.
const SystemNamespace = "mesh-system"

// World gives a world that holds the objects.
func World(objects ...metav1.Object) *world.World {
	w := world.New("cluster.local")
	w.SetSystemNamespace(SystemNamespace)
	for _, object := range objects {
		Set(w, object)
	}
	return w
}

// Set creates or changes an object.
func Set(w *world.World, object metav1.Object) {
	switch o := object.(type) {
	case *corev1.Service:
		w.SetService(o)
	case *discoveryv1.EndpointSlice:
		w.SetSlice(o)
	case *corev1.Pod:
		w.SetPod(o)
	case *corev1.Namespace:
		w.SetNamespace(o)
	case *corev1.ServiceAccount:
		w.SetServiceAccount(o)
	case *v1alpha1.MeshPolicy:
		w.SetAccess(meshpolicy.Access(o, SystemNamespace))
	case *v1alpha1.MeshConfig:
		w.SetConfig(o)
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		w.SetValidatingWebhooks(o)
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		w.SetMutatingWebhooks(o)
	case *apiregistrationv1.APIService:
		w.SetAPIService(o)
	default:
		panic(fmt.Sprintf("worldtest: the mesh does not read a %T", object))
	}
}

// Delete removes an object.
func Delete(w *world.World, object metav1.Object) {
	key := world.Key{Namespace: object.GetNamespace(), Name: object.GetName()}
	switch object.(type) {
	case *corev1.Service:
		w.DeleteService(key)
	case *discoveryv1.EndpointSlice:
		w.DeleteSlice(key)
	case *corev1.Pod:
		w.DeletePod(key)
	case *corev1.Namespace:
		w.DeleteNamespace(key)
	case *corev1.ServiceAccount:
		w.DeleteServiceAccount(key)
	case *v1alpha1.MeshPolicy:
		w.DeleteAccess(meshpolicy.Reference(key))
	case *v1alpha1.MeshConfig:
		w.DeleteConfig(key)
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		w.DeleteValidatingWebhooks(key)
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		w.DeleteMutatingWebhooks(key)
	case *apiregistrationv1.APIService:
		w.DeleteAPIService(key)
	default:
		panic(fmt.Sprintf("worldtest: the mesh does not read a %T", object))
	}
}
