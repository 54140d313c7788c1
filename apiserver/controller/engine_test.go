// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// testRoots stands for certificates; the engine does not read them.
var testRoots = []byte("-----BEGIN CERTIFICATE-----\ntest\n-----END CERTIFICATE-----\n")

// TestAnyOrderGivesTheSameBytes loads the same objects in 100 orders.
func TestAnyOrderGivesTheSameBytes(t *testing.T) {
	inputs, err := filepath.Glob("testdata/features/*/in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no golden pairs: %v", err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(filepath.Dir(input)), func(t *testing.T) {
			t.Parallel()
			objects := worldtest.Load(t, input)
			first := loaded(objects)
			first.step(t.Context())
			random := rand.New(rand.NewPCG(1, 0))
			for range often(100) {
				random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
				again := loaded(objects)
				again.step(t.Context())
				if diff := cmp.Diff(first.versions, again.versions); diff != "" {
					t.Fatalf("another order of the objects gives other resources:\n%s", diff)
				}
			}
		})
	}
}

// often is how many times something is tried that no other goroutine takes part in:
// few times with -short, as under the race detector.
func often(times int) int {
	if testing.Short() {
		return max(1, times/20)
	}
	return times
}

func loaded(objects []metav1.Object) *testEngine {
	e := newTestEngine()
	e.setRoots(testRoots)
	for _, object := range objects {
		worldtest.Set(e.World, object)
	}
	return e
}

// TestStepSendsOnlyWhatChanged holds that work and traffic are in proportion to
// a change.
func TestStepSendsOnlyWhatChanged(t *testing.T) {
	const input = "testdata/features/allow-service/in.yaml"
	for _, test := range []struct {
		name string
		// change gets the same objects once more.
		change func(w *world.World, objects []metav1.Object)
		want   []string
		// proxies is how many come.
		proxies int
	}{{
		name: "the same objects again",
		change: func(w *world.World, objects []metav1.Object) {
			for _, object := range objects {
				worldtest.Set(w, object)
			}
		},
	}, {
		name: "a status of a policy",
		change: func(w *world.World, objects []metav1.Object) {
			policy := the[*v1alpha1.MeshPolicy](objects)
			policy.Status.Conditions = []metav1.Condition{{Type: "Accepted"}}
			worldtest.Set(w, policy)
		},
	}, {
		name: "the only endpoint is not ready for a while",
		change: func(w *world.World, objects []metav1.Object) {
			slice := the[*discoveryv1.EndpointSlice](objects)
			for i := range slice.Endpoints {
				slice.Endpoints[i].Conditions.Ready = ptr.To(false)
			}
			w.SetSlice(slice)
		},
		want: []string{"ClusterLoadAssignment out/bookstore/bookstore:80"},
	}, {
		name: "an endpoint leaves",
		change: func(w *world.World, objects []metav1.Object) {
			worldtest.Delete(w, the[*discoveryv1.EndpointSlice](objects))
		},
		// The cluster says whom it expects to meet: there is nobody now.
		want: []string{"Cluster out/bookstore/bookstore:80", "ClusterLoadAssignment out/bookstore/bookstore:80"},
	}, {
		name: "an endpoint of the same account joins",
		change: func(w *world.World, objects []metav1.Object) {
			slice := the[*discoveryv1.EndpointSlice](objects)
			more := slice.Endpoints[0].DeepCopy()
			more.Addresses = []string{"198.18.0.77"}
			pod := podNamed(objects, more.TargetRef.Name).DeepCopy()
			pod.Name, pod.UID, pod.Status.PodIPs = "more", "more", []corev1.PodIP{{IP: "198.18.0.77"}}
			w.SetPod(pod)
			more.TargetRef.Name, more.TargetRef.UID = "more", "more"
			slice.Endpoints = append(slice.Endpoints, *more)
			w.SetSlice(slice)
		},
		// The pod's own address is new as well.
		want:    []string{"ClusterLoadAssignment out/bookstore/bookstore:80", "Listener outbound"},
		proxies: 1,
	}, {
		name: "a Service appears",
		change: func(w *world.World, objects []metav1.Object) {
			service := the[*corev1.Service](objects).DeepCopy()
			service.Name, service.Spec.Selector = "another", nil
			service.Spec.ClusterIP, service.Spec.ClusterIPs = "198.19.0.77", []string{"198.19.0.77"}
			w.SetService(service)
		},
		want: []string{
			"Cluster out/bookstore/another:80", "ClusterLoadAssignment out/bookstore/another:80",
			"Listener out/198.19.0.77:80", "RouteConfiguration out/bookstore/another:80",
		},
	}, {
		name: "a Service's port becomes TCP",
		change: func(w *world.World, objects []metav1.Object) {
			service := the[*corev1.Service](objects)
			service.Spec.Ports[0].AppProtocol = ptr.To("tcp")
			w.SetService(service)
		},
		want: []string{
			"Cluster out/bookstore/bookstore:80", "TypedExtensionConfig out/bookstore/bookstore:80",
			"Listener inbound", "Listener out/198.19.0.10:80",
			"-RouteConfiguration in/433c4796807761b730752729816260b4/14001", "-RouteConfiguration out/bookstore/bookstore:80",
		},
	}, {
		name: "an HTTP rule widens",
		change: func(w *world.World, objects []metav1.Object) {
			policy := the[*v1alpha1.MeshPolicy](objects)
			policy.Generation++
			policy.Spec.Rules[0].To[0].HTTP.Methods = []string{"GET", "HEAD"}
			worldtest.Set(w, policy)
		},
		want: []string{"RouteConfiguration in/433c4796807761b730752729816260b4/14001"},
	}} {
		t.Run(test.name, func(t *testing.T) {
			e := loaded(worldtest.Load(t, input))
			e.step(t.Context())
			test.change(e.World, worldtest.Load(t, input))
			out := e.step(t.Context())
			var got []string
			for _, r := range out.Set {
				got = append(got, r.TypeURL[strings.LastIndex(r.TypeURL, ".")+1:]+" "+r.Name)
			}
			for _, r := range out.Removed {
				got = append(got, "-"+r.TypeURL[strings.LastIndex(r.TypeURL, ".")+1:]+" "+r.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if len(out.Proxies) != test.proxies || len(out.GoneProxies) > 0 {
				t.Errorf("%d proxies came and %d went, want %d and 0", len(out.Proxies), len(out.GoneProxies), test.proxies)
			}
		})
	}
}

// TestAddressesThatCallersDialTouchOneListenerAlone holds that a pod's coming, or
// an endpoint's, costs a matcher, whatever the size of its Service.
func TestAddressesThatCallersDialTouchOneListenerAlone(t *testing.T) {
	const input = "testdata/features/headless/in.yaml"
	for _, test := range []struct {
		name   string
		change func(w *world.World, objects []metav1.Object)
		want   []string
	}{{
		name: "an endpoint is not ready any more",
		change: func(w *world.World, objects []metav1.Object) {
			slice := the[*discoveryv1.EndpointSlice](objects)
			slice.Endpoints[0].Conditions.Ready = ptr.To(false)
			w.SetSlice(slice)
		},
	}, {
		name: "an endpoint leaves",
		change: func(w *world.World, objects []metav1.Object) {
			slice := the[*discoveryv1.EndpointSlice](objects)
			slice.Endpoints = slice.Endpoints[:2]
			w.SetSlice(slice)
			slice = slice.DeepCopy()
			slice.Name, slice.Endpoints = "more", []discoveryv1.Endpoint{{Addresses: []string{"198.18.0.3"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "db", Name: "postgres-2", UID: "2"}}}
			slice.Ports = slice.Ports[1:]
			w.SetSlice(slice)
		},
		want: []string{"Listener outbound"},
	}, {
		name: "a pod of a known account comes",
		change: func(w *world.World, objects []metav1.Object) {
			pod := the[*corev1.Pod](objects).DeepCopy()
			pod.Name, pod.Status.PodIPs = "postgres-3", []corev1.PodIP{{IP: "198.18.0.4"}}
			w.SetPod(pod)
		},
		want: []string{"Listener outbound"},
	}, {
		name: "a pod of an account that is new comes",
		change: func(w *world.World, objects []metav1.Object) {
			pod := the[*corev1.Pod](objects).DeepCopy()
			pod.Name, pod.Spec.ServiceAccountName, pod.Status.PodIPs = "backup", "backup", []corev1.PodIP{{IP: "2001:2:0:1::9"}}
			w.SetPod(pod)
		},
		want: []string{"Cluster pods/db/backup", "Listener outbound"},
	}} {
		t.Run(test.name, func(t *testing.T) {
			e := loaded(worldtest.Load(t, input))
			e.step(t.Context())
			test.change(e.World, worldtest.Load(t, input))
			var got []string
			for _, r := range e.step(t.Context()).Set {
				// A new view's own resources are no matter of its callers.
				if r.View == "" {
					got = append(got, r.TypeURL[strings.LastIndex(r.TypeURL, ".")+1:]+" "+r.Name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

func podNamed(objects []metav1.Object, name string) *corev1.Pod {
	for _, object := range objects {
		if pod, ok := object.(*corev1.Pod); ok && pod.Name == name {
			return pod
		}
	}
	panic("there is none")
}

// the gives the one object of its type.
func the[T metav1.Object](objects []metav1.Object) T {
	for _, object := range objects {
		if o, ok := object.(T); ok {
			return o
		}
	}
	panic("there is none")
}

// TestUnitThatCannotBeCompiledRefuses gives Envoy's rooms a workload that they
// cannot take: its proxies admit nobody, and its neighbours do not notice.
func TestUnitThatCannotBeCompiledRefuses(t *testing.T) {
	objects := worldtest.Load(t, "testdata/features/allow-selector/in.yaml")
	healthy := loaded(objects)
	healthy.step(t.Context())
	for _, object := range objects {
		if policy, ok := object.(*v1alpha1.MeshPolicy); ok {
			policy.Spec.Rules[0].From = []v1alpha1.PolicySource{{Principals: []string{"spiffe://cluster.local/\xff"}}}
			policy.Spec.Rules[0].To = []v1alpha1.PolicyDestination{{All: &v1alpha1.AllPorts{}}}
		}
	}
	e := loaded(objects)
	e.step(t.Context())

	sick := viewOf(t, e.World, "bookstore")
	closed := model.Workload{View: sick, Namespace: "bookstore", Ports: []model.InboundPort{{Access: model.Access{Closed: true, ClosedBy: []string{"not-compiled"}}}}}
	want, err := envoy.Workload(compile.Mesh(e.World.Reader()), closed, testRoots, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range want {
		if e.versions[r.Key] != r.Version {
			t.Errorf("%s %s is not what refuses everybody", r.TypeURL, r.Name)
		}
	}
	if got := len(e.units[workload.ID(sick)]); got != len(want) {
		t.Errorf("the workload has %d resources, want the %d that refuse everybody", got, len(want))
	}
	for key, version := range healthy.versions {
		if key.View != sick && e.versions[key] != version {
			t.Errorf("a neighbour's %s %s differs", key.TypeURL, key.Name)
		}
	}
}

func viewOf(t *testing.T, w *world.World, app string) string {
	t.Helper()
	for _, view := range w.Reader().ViewsIn("") {
		if view.Labels["app"] == app {
			return view.Name
		}
	}
	t.Fatalf("no view has the label app=%s", app)
	return ""
}
