// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestAChangeMakesThatAnewWhichHasReadIt makes one change to two namespaces, each with a
// Service, its slice, its pod and a policy. Whatever is about namespace b stays as it is,
// but where it reads of namespace a.
func TestAChangeMakesThatAnewWhichHasReadIt(t *testing.T) {
	config := func(change func(*v1alpha1.MeshConfig)) *v1alpha1.MeshConfig {
		c := &v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 2}}
		change(c)
		return c
	}
	for _, test := range []struct {
		name string
		// before comes before the step that is not looked at, change after it.
		before, change func(e *testEngine, a namespaceObjects)
		want           []string
	}{
		{name: "nothing is new", change: func(e *testEngine, a namespaceObjects) {
			worldtest.Set(e.World, a.pod.DeepCopy())
			worldtest.Set(e.World, a.service.DeepCopy())
			worldtest.Set(e.World, a.policy.DeepCopy())
		}},
		{name: "a pod is not ready any more", change: func(e *testEngine, a namespaceObjects) {
			a.pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady}}
			worldtest.Set(e.World, a.pod)
		}},
		{name: "a pod ends", change: func(e *testEngine, a namespaceObjects) {
			a.pod.Status.Phase = corev1.PodFailed
			worldtest.Set(e.World, a.pod)
		}, want: []string{"account a/web", "direct", "endpoints a/web", "meshpolicy a/web", "proxy a/web-1/1", "service a/web", "workload a web"}},
		{name: "a pod gets another label", change: func(e *testEngine, a namespaceObjects) {
			a.pod.Labels = map[string]string{"app": "api"}
			worldtest.Set(e.World, a.pod)
		}, want: []string{"endpoints a/web", "meshpolicy a/web", "proxy a/web-1/1", "workload a api", "workload a web"}},
		{name: "an endpoint is not ready any more", change: func(e *testEngine, a namespaceObjects) {
			no := false
			a.slice.Endpoints[0].Conditions.Ready = &no
			worldtest.Set(e.World, a.slice)
		}, want: []string{"endpoints a/web", "service-notices a/web"}},
		{name: "a slice is annotated", change: func(e *testEngine, a namespaceObjects) {
			a.slice.Annotations = map[string]string{"endpoints.kubernetes.io/last-change-trigger-time": "now"}
			worldtest.Set(e.World, a.slice)
		}},
		{name: "a Service goes", change: func(e *testEngine, a namespaceObjects) { worldtest.Delete(e.World, a.service) },
			want: []string{"endpoints a/web", "headless a/web", "meshpolicy a/web", "service a/web", "service-notices a/web", "workload a web"}},
		{name: "another Service claims an address", change: func(e *testEngine, a namespaceObjects) {
			rival := a.service.DeepCopy()
			rival.Namespace, rival.Name, rival.Spec.Selector = "b", "rival", nil
			worldtest.Set(e.World, rival)
		}, want: []string{"endpoints a/web", "endpoints b/rival", "headless b/rival", "service b/rival", "service-notices a/web", "service-notices b/rival"}},
		{name: "a policy changes", change: func(e *testEngine, a namespaceObjects) {
			a.policy.Generation++
			worldtest.Set(e.World, a.policy)
		}, want: []string{"meshpolicy a/web", "workload a web"}},
		{name: "a policy gets a status", change: func(e *testEngine, a namespaceObjects) {
			a.policy.Status.Proxies = &v1alpha1.ProxyCounts{Affected: 1}
			worldtest.Set(e.World, a.policy)
		}},
		{name: "an account that a policy names appears", change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "caller"}})
		}, want: []string{"meshpolicy a/web", "workload a web"}},
		{name: "an account that a Deny names appears", before: func(e *testEngine, a namespaceObjects) {
			a.policy.Generation++
			a.policy.Spec.Action = v1alpha1.PolicyActionDeny
			worldtest.Set(e.World, a.policy)
		}, change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "caller"}})
		}, want: []string{"meshpolicy a/web"}},
		{name: "an account that nothing names appears", change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "other"}})
		}},
		{name: "a Namespace says what holds for its pods", change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{metadata.MTLSAnnotation: "Permissive"}}})
		}, want: []string{"namespace a", "workload a web"}},
		{name: "a pod gets an annotation that is not about traffic", change: func(e *testEngine, a namespaceObjects) {
			a.pod.Annotations = map[string]string{"example.com/a": "b"}
			worldtest.Set(e.World, a.pod)
		}},
		{name: "MeshConfig's access", change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, config(func(c *v1alpha1.MeshConfig) { c.Spec.Traffic.Access = v1alpha1.AccessDefaultDeny }))
		}, want: []string{"meshconfig default", "meshpolicy a/web", "meshpolicy b/web", "workload a web", "workload b web"}},
		{name: "MeshConfig's egress", change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, config(func(c *v1alpha1.MeshConfig) { c.Spec.Traffic.Egress = v1alpha1.EgressRefuse }))
		}, want: []string{"direct", "meshconfig default"}},
		{name: "MeshConfig's unmeshed", change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, config(func(c *v1alpha1.MeshConfig) { c.Spec.Traffic.Unmeshed = v1alpha1.UnmeshedRefuse }))
			// No Service has an endpoint outside the mesh.
		}, want: []string{"meshconfig default"}},
		{name: "MeshConfig's certificate lifetime", change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, config(func(c *v1alpha1.MeshConfig) { c.Spec.Certificate.Lifetime = &metav1.Duration{Duration: 2 * time.Hour} }))
		}, want: []string{"meshconfig default", "workload a web", "workload b web"}},
		{name: "MeshConfig's sidecar", change: func(e *testEngine, _ namespaceObjects) {
			worldtest.Set(e.World, config(func(c *v1alpha1.MeshConfig) { c.Spec.Sidecar.LogLevel = "debug" }))
		}, want: []string{"meshconfig default"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := worldtest.Load(t, "world/testdata/two.yaml")
			e := loaded(objects)
			a := objectsOf(objects, "a")
			if test.before != nil {
				test.before(e, a)
			}
			views := viewNames(e)
			e.step(t.Context())
			test.change(e, a)
			for name, view := range viewNames(e) {
				views[name] = view
			}
			var got []string
			for _, id := range e.step(t.Context()).Built {
				if id.Kind == workload.ID("").Kind {
					id = unit.ID{Kind: id.Kind, Name: views[id.Name]}
				}
				got = append(got, id.String())
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("made anew (-want +got):\n%s", diff)
			}
			if again := e.step(t.Context()).Built; len(again) > 0 {
				t.Errorf("made anew once more: %v", again)
			}
		})
	}
}

// viewNames are those that can be read, by the hashes.
func viewNames(e *testEngine) map[string]string {
	names := map[string]string{}
	for _, view := range e.World.Reader().ViewsIn("") {
		names[view.Name] = view.Namespace + " " + view.Labels["app"]
	}
	return names
}

// namespaceObjects are copies of the objects of one namespace.
type namespaceObjects struct {
	service *corev1.Service
	slice   *discoveryv1.EndpointSlice
	pod     *corev1.Pod
	policy  *v1alpha1.MeshPolicy
}

func objectsOf(objects []metav1.Object, namespace string) namespaceObjects {
	var out namespaceObjects
	for _, object := range objects {
		if object.GetNamespace() != namespace {
			continue
		}
		switch o := object.(type) {
		case *corev1.Service:
			out.service = o.DeepCopy()
		case *discoveryv1.EndpointSlice:
			out.slice = o.DeepCopy()
		case *corev1.Pod:
			out.pod = o.DeepCopy()
		case *v1alpha1.MeshPolicy:
			out.policy = o.DeepCopy()
		}
	}
	return out
}
