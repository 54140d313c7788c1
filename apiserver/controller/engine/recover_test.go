// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// TestAUnitWhoseDerivedValuePanicsRecovers: its neighbours are made all the same, and it is
// made anew when the object that did it is another.
func TestAUnitWhoseDerivedValuePanicsRecovers(t *testing.T) {
	derived := world.NewDerived(0, func(r world.Reader, key world.Key) int {
		s := r.Service(key)
		if s != nil && len(s.Spec.Ports) == 0 {
			panic("no ports")
		}
		return 0
	}, func(a, b int) bool { return a == b })
	built := map[string]int{}
	kind := &engine.Kind{
		Name:  "test",
		Watch: func(w *world.World, changed func(string)) { w.OnService(func(key world.Key) { changed(key.String()) }) },
		Build: func(r world.Reader, name string, _ any) (engine.Product, error) {
			built[name]++
			derived.Of(r, world.ParseKey(name))
			return engine.Product{Notices: []engine.Notice{{Reason: name}}}, nil
		},
	}
	e := engine.New(world.New("cluster.local"), []*engine.Kind{kind})
	set := func(name string, ports int) {
		e.World.SetService(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Ports: make([]corev1.ServicePort, ports)}})
	}
	set("good", 1)
	set("bad", 0)
	e.Step(t.Context())
	if n := len(e.Notices()); n != 1 {
		t.Fatalf("%d units are made, want 1", n)
	}
	set("bad", 1)
	e.Step(t.Context())
	if n := len(e.Notices()); n != 2 {
		t.Errorf("%d units are made when the object is another, want 2; builds: %v", n, built)
	}
}
