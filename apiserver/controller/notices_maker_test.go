// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestControllerIsToldOnceThatItsPodsAreLeftOut: the warning of admission goes to
// the controller, which shows it to its author nowhere.
func TestControllerIsToldOnceThatItsPodsAreLeftOut(t *testing.T) {
	e := loaded(nil)
	const told = "DaemonSet agent 7: NotInMesh: the pods are not in the mesh, since they use the node's network; if this is meant, label their template mesh.openservicemesh.io/inject=disabled"
	agent := func(name string, change ...func(*corev1.Pod)) *corev1.Pod {
		pod := running(name)
		pod.Spec.HostNetwork = true
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "agent", UID: "7", Controller: ptr.To(true)}}
		for _, c := range change {
			c(pod)
		}
		return pod
	}
	for _, step := range []struct {
		name   string
		change func(w *world.World)
		want   []string
	}{
		{"in a namespace outside the mesh", func(w *world.World) { w.SetPod(agent("a-1")) }, nil},
		{"the namespace joins", func(w *world.World) { w.SetNamespace(meshed("shop")) }, []string{told}},
		{"a pod more", func(w *world.World) { w.SetPod(agent("a-2")) }, nil},
		{"a pod ends", func(w *world.World) { w.DeletePod(world.Key{Namespace: "shop", Name: "a-1"}) }, nil},
		{"a pod that says that it is meant", func(w *world.World) {
			w.SetPod(agent("b-1", func(p *corev1.Pod) {
				p.OwnerReferences[0].UID = "8"
				p.Labels = map[string]string{"mesh.openservicemesh.io/inject": "disabled"}
			}))
		}, nil},
		{"a pod made by hand, whose author was warned", func(w *world.World) {
			w.SetPod(agent("c-1", func(p *corev1.Pod) { p.OwnerReferences = nil }))
		}, nil},
		{"a static pod", func(w *world.World) {
			w.SetPod(agent("d-1", func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "Node" }))
		}, nil},
	} {
		step.change(e.World)
		if diff := cmp.Diff(step.want, news(t, e)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

func TestHostPortThatRefusesItsClientsIsTold(t *testing.T) {
	e := loaded(nil)
	e.World.SetNamespace(meshed("shop"))
	edge := func(name string, annotations map[string]string) *corev1.Pod {
		pod := withProxy(running(name))
		pod.Annotations = annotations
		pod.Spec.Containers = []corev1.Container{{Name: "edge", Ports: []corev1.ContainerPort{
			{ContainerPort: 8443, HostPort: 443}, {ContainerPort: 8080, HostPort: 80}, {ContainerPort: 9000}, {ContainerPort: 53, HostPort: 53, Protocol: corev1.ProtocolUDP},
		}}}
		return pod
	}
	const (
		http  = "container port 8080 refuses clients of hostPort 80"
		https = "container port 8443 refuses clients of hostPort 443"
		way   = ", since mutual TLS alone is taken there: let them in by the annotation mesh.openservicemesh.io/mtls-ports: \"%s\" of the Namespace shop, or write Strict there if that is meant"
	)
	of := func(pod, ports, modes string) string {
		return fmt.Sprintf("Pod %s %s: OutsideCallersRefused: "+ports+way, pod, pod, modes)
	}
	both, one := of("one", http+"; "+https, "8080=Permissive,8443=Permissive"), of("two", https, "8443=Permissive")
	for _, step := range []struct {
		name   string
		change func(w *world.World)
		want   []string
	}{
		{"both ports are Strict", func(w *world.World) { w.SetPod(edge("one", nil)) }, []string{both}},
		{"one goes past the proxy", func(w *world.World) {
			w.SetPod(edge("two", map[string]string{"mesh.openservicemesh.io/exclude-inbound-ports": "9000, 8080"}))
		}, []string{one}},
		{"the namespace is Permissive", func(w *world.World) {
			open := meshed("shop")
			open.Annotations = map[string]string{"mesh.openservicemesh.io/mtls": "Permissive"}
			w.SetNamespace(open)
			w.SetPod(edge("three", nil))
		}, nil},
		{"it is Strict again", func(w *world.World) {
			w.DeletePod(world.Key{Namespace: "shop", Name: "three"})
			w.SetNamespace(meshed("shop"))
		}, []string{both, one}},
	} {
		step.change(e.World)
		if diff := cmp.Diff(step.want, news(t, e)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// TestServiceThatLeadsToThePortOfAProxyIsTold: a Service without a targetPort leads
// to the number of its own port.
func TestServiceThatLeadsToThePortOfAProxyIsTold(t *testing.T) {
	e := loaded(worldtest.Load(t, "world/testdata/two.yaml"))
	news(t, e)
	service := e.World.Reader().Service(world.Key{Namespace: "a", Name: "web"}).DeepCopy()
	service.Spec.Ports[0].Port = 15001
	slice := e.World.Reader().SlicesOf(world.Key{Namespace: "a", Name: "web"})[0].DeepCopy()
	for _, step := range []struct {
		port int32
		want []string
	}{
		{8080, nil},
		{15001, []string{"Service web 1: ProxyPort: port 15001: targetPort 15001 is the proxy's own in pods of the mesh, which refuse it; choose another"}},
		{15090, nil}, // Its statistics are for callers outside the mesh.
	} {
		e.World.SetService(service)
		led := slice.DeepCopy()
		led.Ports[0] = discoveryv1.EndpointPort{Name: &service.Spec.Ports[0].Name, Port: &step.port}
		e.World.SetSlice(led)
		if diff := cmp.Diff(step.want, news(t, e)); diff != "" {
			t.Errorf("targetPort %d (-want +got):\n%s", step.port, diff)
		}
	}
}

// news are the notices of one step, sorted.
func news(t *testing.T, e *testEngine) []string {
	t.Helper()
	var told []string
	for _, n := range e.step(t.Context()).News {
		told = append(told, fmt.Sprintf("%s %s %s: %s: %s", n.About.Kind, n.About.Name, n.About.UID, n.Reason, n.Message))
	}
	slices.Sort(told)
	return told
}

func meshed(namespace string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"mesh.openservicemesh.io/inject": "enabled"}}}
}

// running is a pod on a node.
func running(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)},
		Spec:       corev1.PodSpec{NodeName: "node"},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

func withProxy(pod *corev1.Pod) *corev1.Pod {
	pod.Spec.InitContainers = []corev1.Container{{Name: "mesh-proxy", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "mesh-identity", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: "mesh.openservicemesh.io/workload"}}},
	}}}}
	return pod
}
