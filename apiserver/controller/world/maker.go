// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"slices"
	"strings"

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

// String gives the fields with spaces between, of which none has one.
func (m Maker) String() string {
	return strings.Join([]string{m.APIVersion, m.Kind, m.Key.Namespace, m.Key.Name, m.UID}, " ")
}

// ParseMaker reads what String has written.
func ParseMaker(text string) Maker {
	fields := strings.Split(text, " ")
	return Maker{fields[0], fields[1], Key{Namespace: fields[2], Name: fields[3]}, fields[4]}
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

// OnMaker has f called when a maker has its first pod of which there may be something
// to say, or has lost its last.
func (w *World) OnMaker(f func(Maker)) { w.podsByMaker.OnKey(f) }

// PodsOf gives the pods of a maker, sorted by name.
func (r Reader) PodsOf(maker Maker) []*Pod {
	return r.podsOf(sortedKeys(r.w.podsByMaker.Of(r.record, maker)))
}

// InMesh tells whether the pods of a namespace that say nothing are in the mesh.
func (r Reader) InMesh(namespace string) bool {
	labelled := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if v, _ := r.w.visibilities.Get(r.record, namespace); v.meshed {
		labelled.Labels = map[string]string{metadata.InjectLabel: metadata.InjectEnabled}
	}
	return membership.Selected(labelled, nil, r.w.systemNamespace)
}
