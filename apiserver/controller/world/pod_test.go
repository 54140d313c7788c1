// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// objects are those of namespace a in testdata/two.yaml.
type objects struct {
	service *corev1.Service
	slice   *discoveryv1.EndpointSlice
	pod     *corev1.Pod
	policy  *v1alpha1.MeshPolicy
}

func namespaceA(t *testing.T) objects {
	t.Helper()
	var out objects
	for _, object := range worldtest.Load(t, "testdata/two.yaml") {
		if object.GetNamespace() != "a" {
			continue
		}
		switch o := object.(type) {
		case *corev1.Service:
			out.service = o
		case *discoveryv1.EndpointSlice:
			out.slice = o
		case *corev1.Pod:
			out.pod = o
		case *v1alpha1.MeshPolicy:
			out.policy = o
		}
	}
	return out
}

// TestView holds what tells workloads apart, and what does not.
func TestView(t *testing.T) {
	view := func(change func(*corev1.Pod)) string {
		pod := namespaceA(t).pod
		change(pod)
		w := worldtest.World(pod)
		return w.Views()[0]
	}
	same := view(func(*corev1.Pod) {})
	for name, change := range map[string]func(*corev1.Pod){
		"name":        func(p *corev1.Pod) { p.Name = "other" },
		"UID":         func(p *corev1.Pod) { p.UID = "other" },
		"address":     func(p *corev1.Pod) { p.Spec.NodeName, p.Status.PodIPs = "node", nil },
		"annotation":  func(p *corev1.Pod) { p.Annotations = map[string]string{"a": "b"} },
		"port of UDP": func(p *corev1.Pod) { addPort(p, corev1.ContainerPort{ContainerPort: 53, Protocol: corev1.ProtocolUDP}) },
		"port of proxy": func(p *corev1.Pod) {
			p.Spec.InitContainers[0].Ports = []corev1.ContainerPort{{ContainerPort: sidecar.PortReadiness}}
		},
		"image, command": func(p *corev1.Pod) { p.Spec.Containers[0].Image = "other" },
	} {
		if view(change) != same {
			t.Errorf("another %s makes another view", name)
		}
	}
	for name, change := range map[string]func(*corev1.Pod){
		"namespace": func(p *corev1.Pod) { p.Namespace = "other" },
		"account":   func(p *corev1.Pod) { p.Spec.ServiceAccountName = "other" },
		"label":     func(p *corev1.Pod) { p.Labels["app"] = "other" },
		"port":      func(p *corev1.Pod) { addPort(p, corev1.ContainerPort{ContainerPort: 53}) },
		"port name": func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].Name = "other" },
	} {
		if view(change) == same {
			t.Errorf("another %s makes no other view", name)
		}
	}
}

func addPort(p *corev1.Pod, port corev1.ContainerPort) {
	p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, port)
}

func TestAPodOnNoNodeYetCostsNothing(t *testing.T) {
	pod := namespaceA(t).pod
	addresses := pod.Status.PodIPs
	pod.Spec.NodeName, pod.Status.PodIPs, pod.Status.PodIP = "", nil, ""
	w := worldtest.World(pod)
	if len(w.Views())+len(w.Accounts())+len(w.Proxies()) > 0 {
		t.Errorf("views %v, accounts %v and proxies %v of a pod that nobody runs", w.Views(), w.Accounts(), w.Proxies())
	}
	pod = pod.DeepCopy()
	pod.Spec.NodeName, pod.Status.PodIPs = "node", addresses
	w.SetPod(pod)
	if len(w.Views()) != 1 || len(w.Accounts()) != 1 || len(w.Proxies()) != 1 {
		t.Error("on a node it is not taken in")
	}
}
