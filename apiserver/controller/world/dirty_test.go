// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// stale is a Dirty as people read it: pods by name in place of views.
type stale struct {
	All                                bool
	Services, Views, Policies, Proxies []string
	// Addresses are "port N", "all", and accounts.
	Addresses []string
}

// TestChangeTouchesWhomItConcerns makes one change to testdata/two.yaml: two
// namespaces, each with a Service, its slice, its pod and a policy.
func TestChangeTouchesWhomItConcerns(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *world.World, o objects)
		want   stale
	}{
		{"nothing is new", func(w *world.World, o objects) { w.SetPod(o.pod.DeepCopy()); w.SetService(o.service.DeepCopy()) }, stale{}},
		{"a pod is not ready any more", func(w *world.World, o objects) {
			o.pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady}}
			w.SetPod(o.pod)
		}, stale{}},
		{"a pod ends", func(w *world.World, o objects) {
			o.pod.Status.Phase = corev1.PodFailed
			w.SetPod(o.pod)
		}, stale{Services: []string{"a/web"}, Views: []string{"gone"}, Proxies: []string{"a/web-1/1"}, Addresses: []string{"a/web", "all"}}},
		{"a pod is recreated", func(w *world.World, o objects) {
			o.pod.UID = "2"
			w.SetPod(o.pod)
		}, stale{Services: []string{"a/web"}, Views: []string{"a web"}, Proxies: []string{"a/web-1/1", "a/web-1/2"}, Addresses: []string{"a/web", "all"}}},
		{"a pod gets another label", func(w *world.World, o objects) {
			o.pod.Labels = map[string]string{"app": "api"}
			w.SetPod(o.pod)
		}, stale{Services: []string{"a/web"}, Views: []string{"a api", "gone"}, Proxies: []string{"a/web-1/1"}, Addresses: []string{"a/web", "all"}}},
		{"an endpoint is not ready any more", func(w *world.World, o objects) {
			no := false
			o.slice.Endpoints[0].Conditions.Ready = &no
			w.SetSlice(o.slice)
		}, stale{Services: []string{"a/web"}}},
		{"a slice is annotated", func(w *world.World, o objects) {
			o.slice.Annotations = map[string]string{"endpoints.kubernetes.io/last-change-trigger-time": "now"}
			w.SetSlice(o.slice)
		}, stale{}},
		{"a Service goes", func(w *world.World, o objects) { worldtest.Delete(w, o.service) },
			stale{Services: []string{"a/web"}, Views: []string{"a web"}, Policies: []string{"a/web"}}},
		{"a Service becomes headless", func(w *world.World, o objects) {
			o.service.Spec.ClusterIP, o.service.Spec.ClusterIPs = "None", []string{"None"}
			w.SetService(o.service)
		}, stale{Services: []string{"a/web"}, Views: []string{"a web"}, Policies: []string{"a/web"}, Addresses: []string{"all"}}},
		{"another Service claims an address", func(w *world.World, o objects) {
			rival := o.service.DeepCopy()
			rival.Namespace, rival.Name = "b", "rival"
			rival.Spec.Selector = nil
			w.SetService(rival)
		}, stale{Services: []string{"a/web", "b/rival"}}},
		{"a policy changes", func(w *world.World, o objects) {
			o.policy.Generation++
			worldtest.Set(w, o.policy)
		}, stale{Views: []string{"a web"}, Policies: []string{"a/web"}}},
		{"a policy gets a status", func(w *world.World, o objects) {
			o.policy.Status.Proxies = &v1alpha1.ProxyCounts{Affected: 1}
			worldtest.Set(w, o.policy)
		}, stale{}},
		{"an account that a policy names appears", func(w *world.World, _ objects) {
			w.SetServiceAccount(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "caller"}})
		}, stale{Views: []string{"a web"}, Policies: []string{"a/web"}}},
		{"an account that a policy names by its principal goes", func(w *world.World, o objects) {
			o.policy.Generation++
			o.policy.Spec.Rules[0].From = []v1alpha1.PolicySource{{Principals: []string{"spiffe://cluster.local/ns/b/sa/named"}}}
			worldtest.Set(w, o.policy)
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "named"}}
			w.SetServiceAccount(account)
			w.TakeDirty()
			worldtest.Delete(w, account)
		}, stale{Views: []string{"a web"}, Policies: []string{"a/web"}}},
		{"an account that a Deny names appears", func(w *world.World, o objects) {
			o.policy.Generation++
			o.policy.Spec.Action = v1alpha1.PolicyActionDeny
			worldtest.Set(w, o.policy)
			w.TakeDirty()
			w.SetServiceAccount(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "caller"}})
		}, stale{Policies: []string{"a/web"}}},
		{"an account that nobody names appears", func(w *world.World, _ objects) {
			w.SetServiceAccount(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "other"}})
		}, stale{}},
		{"a Namespace says what holds for its pods", func(w *world.World, _ objects) {
			w.SetNamespace(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{metadata.MTLSAnnotation: "Permissive"}}})
		}, stale{Views: []string{"a web"}}},
		{"a pod's own annotation gives it another view", func(w *world.World, o objects) {
			o.pod.Annotations = map[string]string{metadata.MTLSPortsAnnotation: "8080=Strict"}
			w.SetPod(o.pod)
		}, stale{Services: []string{"a/web"}, Views: []string{"a web", "gone"}, Proxies: []string{"a/web-1/1"}, Addresses: []string{"a/web", "all"}}},
		{"a pod gets an annotation that is not about traffic", func(w *world.World, o objects) {
			o.pod.Annotations = map[string]string{"example.com/a": "b"}
			w.SetPod(o.pod)
		}, stale{}},
		{"MeshConfig says something else", func(w *world.World, _ objects) {
			config := &v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
			config.Spec.Traffic.Access = v1alpha1.AccessDefaultDeny
			w.SetConfig(config)
		}, stale{All: true}},
		{"MeshConfig goes back to the defaults", func(w *world.World, _ objects) {
			w.SetConfig(&v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
			w.TakeDirty()
			w.DeleteConfig(world.Key{Name: "default"})
		}, stale{All: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := worldtest.World(worldtest.Load(t, "testdata/two.yaml")...)
			w.TakeDirty()
			test.change(w, namespaceA(t))
			if diff := cmp.Diff(test.want, read(w, w.TakeDirty())); diff != "" {
				t.Errorf("what is stale (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(stale{}, read(w, w.TakeDirty())); diff != "" {
				t.Errorf("what was taken is still stale:\n%s", diff)
			}
		})
	}
}

func read(w *world.World, d world.Dirty) stale {
	out := stale{All: d.All}
	for key := range d.Services {
		out.Services = append(out.Services, key.String())
	}
	for name := range d.Views {
		if view := w.View(name); view != nil {
			out.Views = append(out.Views, view.Namespace+" "+view.Labels["app"])
		} else {
			out.Views = append(out.Views, "gone")
		}
	}
	for key := range d.Policies {
		out.Policies = append(out.Policies, key.Key.String())
	}
	for id := range maps.Keys(d.Proxies) {
		out.Proxies = append(out.Proxies, id.String())
	}
	for key := range d.Accounts {
		out.Addresses = append(out.Addresses, key.String())
	}
	if d.Addresses {
		out.Addresses = append(out.Addresses, "all")
	}
	for _, list := range [][]string{out.Addresses, out.Services, out.Views, out.Policies, out.Proxies} {
		slices.Sort(list)
	}
	return out
}
