// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/membership"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// KindPod is the kind of pods.
const KindPod = "Pod"

// Maker is the object whose author wrote what a pod says: the pod's controller, or
// the pod itself if it has none.
type Maker struct {
	APIVersion, Kind string
	Key              Key
	UID              string
}

// HostPort is a port of the node that leads to a container port.
type HostPort struct{ Node, Container uint16 }

// makerOf finds the controller of a pod.
func makerOf(pod *corev1.Pod) Maker {
	if owner := metav1.GetControllerOf(pod); owner != nil {
		return Maker{owner.APIVersion, owner.Kind, Key{Namespace: pod.Namespace, Name: owner.Name}, string(owner.UID)}
	}
	return Maker{"v1", KindPod, keyOf(pod), string(pod.UID)}
}

// leftOut tells whether a pod that a controller made cannot be in the mesh since it
// is on the node's network, and does not say that this is meant. Whoever makes a pod by
// hand is told at once; a static pod says nothing to the webhook.
func leftOut(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	label := pod.Labels[metadata.InjectLabel]
	return pod.Spec.HostNetwork && label != metadata.InjectEnabled && label != metadata.InjectDisabled &&
		owner != nil && owner.Kind != "Node"
}

// hostPorts are the TCP ports of the node that lead to the pod's proxy, sorted.
func hostPorts(pod *corev1.Pod) []HostPort {
	excluded := excludedPorts(pod)
	var found []HostPort
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for _, p := range containers[i].Ports {
				tcp := p.Protocol == corev1.ProtocolTCP || p.Protocol == ""
				if p.HostPort > 0 && tcp && !slices.Contains(excluded, uint16(p.ContainerPort)) {
					found = append(found, HostPort{uint16(p.HostPort), uint16(p.ContainerPort)})
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b HostPort) int { return int(a.Node) - int(b.Node) })
	return slices.Compact(found)
}

// Makers gives all makers whose pods there may be something to say of, in no order.
func (w *World) Makers() []Maker { return slices.Collect(maps.Keys(w.podsByMaker)) }

// MakersIn gives those of the pods of a view, in no order.
func (w *World) MakersIn(view string) []Maker {
	found := map[Maker]struct{}{}
	for key := range w.podsByView[view] {
		if pod := w.pods[key]; pod.Maker != (Maker{}) {
			found[pod.Maker] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(found))
}

// PodsOf gives the pods of a maker, sorted by name.
func (w *World) PodsOf(maker Maker) []*Pod {
	var pods []*Pod
	for _, key := range slices.SortedFunc(maps.Keys(w.podsByMaker[maker]), compareKeys) {
		pods = append(pods, w.pods[key])
	}
	return pods
}

// InMesh tells whether the pods of a namespace that say nothing are in the mesh.
func (w *World) InMesh(namespace string) bool {
	labelled := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if w.visibilities[namespace].meshed {
		labelled.Labels = map[string]string{metadata.InjectLabel: metadata.InjectEnabled}
	}
	return membership.Selected(labelled, nil, w.systemNamespace)
}

// touchMakersIn marks the makers of a namespace.
func (w *World) touchMakersIn(namespace string) {
	for maker := range w.podsByMaker {
		if maker.Key.Namespace == namespace {
			w.dirty.Makers[maker] = struct{}{}
		}
	}
}
