// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package worldtest fills a world from Kubernetes objects in YAML, for tests.
package worldtest

import (
	"bytes"
	"fmt"
	"os"
	"slices"
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
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/all"
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
	o, ok := object.(metav1.Object)
	if !ok {
		return nil, fmt.Errorf("a %T is no object", object)
	}
	if _, _, err := sourceOf(o); err != nil {
		return nil, err
	}
	return o, nil
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

// sources are all kinds of objects that a world takes.
var sources = append(slices.Clone(all.Sources),
	kinds.Of(nil, (*world.World).SetServiceAccount, (*world.World).DeleteServiceAccount),
	kinds.Of(nil, (*world.World).SetValidatingWebhooks, (*world.World).DeleteValidatingWebhooks),
	kinds.Of(nil, (*world.World).SetMutatingWebhooks, (*world.World).DeleteMutatingWebhooks),
	kinds.Of(nil, (*world.World).SetAPIService, (*world.World).DeleteAPIService),
)

// sourceOf finds the kind of an object, and what the object changes.
func sourceOf(object metav1.Object) (kinds.Source, kinds.Change, error) {
	for _, source := range sources {
		if change := source.Set(object, kinds.Options{SystemNamespace: SystemNamespace}); change != nil {
			return source, change, nil
		}
	}
	return kinds.Source{}, nil, fmt.Errorf("the mesh does not read a %T", object)
}

// Set creates or changes an object.
func Set(w *world.World, object metav1.Object) {
	_, change, err := sourceOf(object)
	if err != nil {
		panic("worldtest: " + err.Error())
	}
	change(w)
}

// Delete removes an object.
func Delete(w *world.World, object metav1.Object) {
	source, _, err := sourceOf(object)
	if err != nil {
		panic("worldtest: " + err.Error())
	}
	source.Delete(world.Key{Namespace: object.GetNamespace(), Name: object.GetName()})(w)
}
