// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// Of two headless Services over one endpoint the younger is told that it is the
// older one's, also when the older one alone has changed.
func TestAServiceIsToldOfAnOlderOneThatChanges(t *testing.T) {
	objects := worldtest.Load(t, "testdata/features/headless-shared-endpoints/in.yaml")
	older, slice := named[*corev1.Service](objects, "older"), named[*discoveryv1.EndpointSlice](objects, "older")
	const taken, well = true, false
	e := loaded(objects)
	for _, step := range []struct {
		name   string
		change func(*world.World)
		want   bool
	}{
		{"the older speaks another protocol", func(*world.World) {}, taken},
		{"it speaks the same now", func(w *world.World) {
			same := older.DeepCopy()
			same.Spec.Ports[0].Name = "tcp"
			w.SetService(same)
		}, well},
		{"it speaks another again", func(w *world.World) { w.SetService(older) }, taken},
		{"it has lost the endpoint", func(w *world.World) {
			empty := slice.DeepCopy()
			empty.Endpoints = nil
			w.SetSlice(empty)
		}, well},
		{"it has the endpoint back", func(w *world.World) { w.SetSlice(slice) }, taken},
		{"it has a cluster IP", func(w *world.World) {
			other := older.DeepCopy()
			other.Spec.ClusterIP, other.Spec.ClusterIPs = "203.0.113.9", []string{"203.0.113.9"}
			w.SetService(other)
		}, well},
		{"it is headless again", func(w *world.World) { w.SetService(older) }, taken},
		{"it is gone", func(w *world.World) { w.DeleteService(world.Key{Namespace: "a", Name: "older"}) }, well},
	} {
		step.change(e.World)
		e.step(t.Context())
		if got := slices.ContainsFunc(e.of("younger"), func(n engine.Notice) bool { return n.Reason == compile.ReasonEndpointTaken }); got != step.want {
			t.Errorf("%s: the younger has the notice: %v, want %v", step.name, got, step.want)
		}
	}
}

func named[T metav1.Object](objects []metav1.Object, name string) T {
	for _, object := range objects {
		if o, ok := object.(T); ok && o.GetName() == name {
			return o
		}
	}
	panic("there is none")
}
