// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// delivered is what the proxies and the status have been told in all.
type delivered struct {
	Resources map[envoy.Key]string
	Proxies   map[model.ProxyID]model.Proxy
	Units     map[unit.ID][]envoy.Key
	Reports   map[unit.ID]report.Report
	// Notices are what is said of objects without a status, by unit.
	Notices map[unit.ID][]engine.Notice
}

func newDelivered() delivered {
	return delivered{
		map[envoy.Key]string{}, map[model.ProxyID]model.Proxy{}, map[unit.ID][]envoy.Key{}, map[unit.ID]report.Report{}, map[unit.ID][]engine.Notice{},
	}
}

func (d *delivered) take(e *testEngine, out engine.Outcome) {
	d.Notices = e.Notices()
	for _, key := range out.Removed {
		delete(d.Resources, key)
	}
	for _, r := range out.Set {
		d.Resources[r.Key] = r.Version
	}
	for id, keys := range out.Units {
		d.Units[id] = slices.Clone(keys)
		if len(keys) == 0 {
			delete(d.Units, id)
		}
	}
	for _, p := range out.Proxies {
		d.Proxies[p.ID] = p
	}
	for _, id := range out.GoneProxies {
		delete(d.Proxies, id)
	}
	for key, report := range out.Reports {
		if report == nil {
			delete(d.Reports, key)
		} else {
			d.Reports[key] = *report
		}
	}
}

// TestIncrementalEqualsFull changes a small world at random, and demands after
// each batch that what has been delivered in all is what a controller would
// deliver, and say of objects, that starts now.
func TestIncrementalEqualsFull(t *testing.T) {
	for seed := range uint64(often(20)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := chance{rand.New(rand.NewPCG(seed, 0))}
			incremental := newTestEngine()
			incremental.setRoots(testRoots)
			if seed%2 == 1 {
				// Units wait for the next step then, and each change is some steps.
				incremental.StepBytes = 1
			}
			got := newDelivered()
			objects := map[string]metav1.Object{}
			for range 60 {
				for range 1 + random.IntN(4) {
					random.change(incremental.World, objects)
				}
				got.take(incremental, incremental.step(t.Context()))
				for incremental.Waits() {
					got.take(incremental, incremental.step(t.Context()))
				}
				if diff := cmp.Diff(fromNothing(t.Context(), incremental, objects), got); diff != "" {
					t.Fatalf("incremental differs from full (-full +incremental):\n%s", diff)
				}
			}
		})
	}
}

// fromNothing is what a new controller delivers. The names of filter chains
// depend on their past, so it knows those.
func fromNothing(ctx context.Context, old *testEngine, objects map[string]metav1.Object) delivered {
	full := newTestEngine()
	full.setRoots(testRoots)
	for id, memory := range old.memories {
		full.Remember(id, memory)
	}
	for _, object := range objects {
		worldtest.Set(full.World, object)
	}
	out := newDelivered()
	out.take(full, full.step(ctx))
	return out
}

// chance makes objects that get into each other's way as often as possible.
type chance struct{ *rand.Rand }

func (c chance) change(w *world.World, objects map[string]metav1.Object) {
	object := c.object()
	key := fmt.Sprintf("%T %s/%s", object, object.GetNamespace(), object.GetName())
	if old, ok := objects[key]; ok && c.IntN(3) == 0 {
		worldtest.Delete(w, old)
		delete(objects, key)
		return
	}
	objects[key] = object
	worldtest.Set(w, object)
}

func (c chance) object() metav1.Object {
	switch c.IntN(14) {
	case 0, 1:
		return c.service()
	case 2, 3:
		return c.slice()
	case 4, 5:
		return c.pod()
	case 6, 7:
		return c.policy()
	case 12, 13:
		return c.route()
	case 8:
		if c.IntN(2) == 0 {
			return c.namespace()
		}
		return &corev1.ServiceAccount{ObjectMeta: c.meta("web", "api")}
	case 9:
		return &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: pick(c, "one", "two")}, Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			ClientConfig: admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
				Namespace: pick(c, "a", "b"), Name: pick(c, "web", "api"), Port: pick(c, nil, ptr.To[int32](80), ptr.To[int32](81)),
			}},
		}}}
	case 10:
		return &apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: "one"}, Spec: apiregistrationv1.APIServiceSpec{
			Service: pick(c, nil, &apiregistrationv1.ServiceReference{Namespace: pick(c, "a", "b"), Name: "web", Port: ptr.To[int32](80)}),
		}}
	default:
		config := &v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: c.Int64N(1 << 40)}}
		config.Spec.Traffic.Access = pick(c, v1alpha1.AccessOpen, v1alpha1.AccessDefaultDeny)
		config.Spec.Traffic.Egress = pick(c, v1alpha1.EgressPassthrough, v1alpha1.EgressRefuse)
		config.Spec.Traffic.Visibility = pick(c, v1alpha1.VisibilityMesh, v1alpha1.VisibilityNamespace)
		config.Spec.Traffic.Unmeshed = pick(c, v1alpha1.UnmeshedAllow, v1alpha1.UnmeshedRefuse)
		// It cannot be changed, and outlives the object.
		config.Spec.Certificate.TrustDomain = "cluster.local"
		return config
	}
}

// meta is an object that may have been recreated: another UID goes with another
// time of creation.
func (c chance) meta(names ...string) metav1.ObjectMeta {
	incarnation := c.Int64N(2)
	return metav1.ObjectMeta{
		Namespace:         pick(c, "a", "b"),
		Name:              pick(c, names...),
		UID:               types.UID(fmt.Sprint(incarnation)),
		CreationTimestamp: metav1.NewTime(time.Unix(incarnation, 0)),
	}
}

func (c chance) address() string {
	return pick(c, "198.18.0.1", "198.18.0.2", "198.18.0.3", "2001:2:0:1::1")
}

func (c chance) namespace() *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pick(c, "a", "b")}}
	n.Labels = map[string]string{metadata.InjectLabel: pick(c, metadata.InjectEnabled, metadata.InjectDisabled)}
	if c.IntN(2) == 0 {
		n.Annotations = map[string]string{metadata.VisibilityAnnotation: pick(c, "Mesh", "Namespace", "a", "a, b", "?")}
	}
	if c.IntN(2) == 0 {
		metav1.SetMetaDataAnnotation(&n.ObjectMeta, metadata.MTLSPortsAnnotation, pick(c, "8080=Permissive", "8080=Permissive,9090=Strict", "7777=Permissive", "?"))
	}
	return n
}

func (c chance) labels() map[string]string {
	return map[string]string{"app": pick(c, "web", "api"), "tier": pick(c, "x", "y")}
}

func (c chance) service() *corev1.Service {
	s := &corev1.Service{ObjectMeta: c.meta("web", "api")}
	s.Spec.ClusterIPs = []string{pick(c, "198.19.0.1", "198.19.0.2", "None")}
	if c.IntN(3) == 0 {
		s.Spec.ExternalIPs = []string{pick(c, "203.0.113.1", "198.19.0.1", "198.18.0.1")}
	}
	s.Spec.Type = pick(c, corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort)
	if c.IntN(3) == 0 {
		s.Annotations = map[string]string{metadata.ScrapeAnnotation: "true", metadata.ScrapePortAnnotation: pick(c, "8080", "9090")}
	}
	s.Spec.Selector = pick(c, map[string]string{"app": "web"}, map[string]string{"tier": "x"}, nil)
	s.Spec.Ports = []corev1.ServicePort{
		{Name: pick(c, "http", "tcp", "main"), Port: 80, TargetPort: pick(c, intstr.FromString("web"), intstr.FromInt32(8080))},
		{Name: "grpc", Port: 81, TargetPort: intstr.FromInt32(pick[int32](c, 8080, 9090))},
	}
	return s
}

func (c chance) slice() *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: c.meta("one", "two"), AddressType: discoveryv1.AddressTypeIPv4}
	s.Labels = map[string]string{discoveryv1.LabelServiceName: pick(c, "web", "api")}
	number := pick[int32](c, 8080, 8080, 9090, 65536)
	name := pick(c, "http", "tcp", "grpc")
	s.Ports = []discoveryv1.EndpointPort{{Name: &name, Port: &number}}
	for range c.IntN(4) {
		e := discoveryv1.Endpoint{Addresses: []string{c.address()}}
		ready := c.IntN(4) > 0
		e.Conditions.Ready = &ready
		if c.IntN(4) > 0 {
			m := c.meta("p", "q", "r")
			e.TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: s.Namespace, Name: m.Name, UID: m.UID}
		}
		s.Endpoints = append(s.Endpoints, e)
	}
	return s
}

func (c chance) pod() *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: c.meta("p", "q", "r")}
	p.Labels = c.labels()
	p.Annotations = pick(c, nil, map[string]string{metadata.ScrapeAnnotation: "true", metadata.ScrapePortAnnotation: "8080"},
		map[string]string{metadata.ExcludeInboundPorts: "8080"}, map[string]string{metadata.MTLSPortsAnnotation: "8080=Strict,9090=Permissive"})
	p.Spec.ServiceAccountName = pick(c, "web", "api")
	p.Spec.HostNetwork = c.IntN(8) == 0
	p.Spec.Containers = []corev1.Container{{Name: "app", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: pick[int32](c, 8080, 8081)}}}}
	if c.IntN(4) > 0 {
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers = []corev1.Container{{Name: sidecar.ProxyContainer, RestartPolicy: &always}}
		p.Spec.Volumes = []corev1.Volume{{Name: sidecar.VolumeIdentity, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: sidecar.Signer}}},
		}}}}
	}
	p.Status.Phase = pick(c, corev1.PodRunning, corev1.PodRunning, corev1.PodRunning, corev1.PodSucceeded)
	p.Status.PodIPs = []corev1.PodIP{{IP: c.address()}}
	return p
}

func (c chance) policy() *v1alpha1.MeshPolicy {
	p := &v1alpha1.MeshPolicy{ObjectMeta: c.meta("first", "second")}
	if c.IntN(4) == 0 {
		p.Namespace = worldtest.SystemNamespace
	}
	p.Generation = c.Int64N(1 << 40)
	switch c.IntN(3) {
	case 0:
		p.Spec.TargetRefs = []v1alpha1.PolicyTargetReference{{Kind: "Service", Name: pick(c, "web", "api")}}
	case 1:
		p.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": pick(c, "web", "api")}}
	}
	p.Spec.Action = pick(c, v1alpha1.PolicyActionAllow, v1alpha1.PolicyActionDeny)
	p.Spec.Rules = []v1alpha1.PolicyRule{{
		From: []v1alpha1.PolicySource{pick(c,
			v1alpha1.PolicySource{Authenticated: &v1alpha1.Authenticated{}},
			v1alpha1.PolicySource{ServiceAccounts: []v1alpha1.ServiceAccountReference{{Name: pick(c, "web", "api")}}},
			v1alpha1.PolicySource{Namespaces: []string{pick(c, "a", "b")}},
			v1alpha1.PolicySource{Principals: []string{"spiffe://cluster.local/ns/" + pick(c, "a/sa/web", "b/sa/web", "a/*", "b/sa/*")}},
			v1alpha1.PolicySource{})},
		To: []v1alpha1.PolicyDestination{pick(c,
			v1alpha1.PolicyDestination{All: &v1alpha1.AllPorts{}},
			v1alpha1.PolicyDestination{Ports: []intstr.IntOrString{intstr.FromString("web"), intstr.FromInt32(7777)}},
			v1alpha1.PolicyDestination{HTTP: &v1alpha1.HTTPMatch{Methods: []string{"GET"}}})},
	}}
	return p
}

// route shares the calls to a Service with others, and with what may not be there.
func (c chance) route() *v1alpha1.MeshRoute {
	r := &v1alpha1.MeshRoute{ObjectMeta: c.meta("one", "two")}
	r.Generation = c.Int64N(1 << 40)
	r.Spec.ParentRefs = []v1alpha1.RouteParentReference{{Kind: "Service", Name: pick(c, "web", "api"), Port: pick(c, nil, ptr.To[int32](80), ptr.To[int32](81))}}
	r.Spec.HTTP = []v1alpha1.HTTPRouteRule{{BackendRefs: []v1alpha1.HTTPBackendReference{
		{Kind: "Service", Name: pick(c, "web", "api"), Port: pick[int32](c, 80, 81), Weight: pick(c, nil, ptr.To[int32](0), ptr.To[int32](3))},
		{Kind: "Service", Name: pick(c, "web", "gone"), Port: 80},
	}}}
	return r
}

func pick[T any](c chance, values ...T) T { return values[c.IntN(len(values))] }
