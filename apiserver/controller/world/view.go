// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// View is all meshed pods that the mesh cannot tell apart. It is never changed
// once it is made; which pods are in it is kept beside it.
type View struct {
	// Name is a hash of the other fields, 32 lower-case hex digits. With half of
	// them somebody could find labels that give another tenant's name, and so
	// put pods under each other's policies.
	Name           string
	Namespace      string
	ServiceAccount string
	Labels         map[string]string
	// Ports are the application's TCP ports in the order of the pod's spec: of
	// two with one name, the first is meant.
	Ports []Port
	// Traffic is what the pods' own annotations say of traffic, by annotation;
	// only those of metadata.TrafficAnnotations.
	Traffic map[string]string
	// CertificateLifetime is the longest life of a certificate that the pods ask
	// for, as MeshConfig had it when they were made; 0 if they do not say.
	CertificateLifetime time.Duration
	// Family is the Name that the view has without Traffic and CertificateLifetime.
	Family string
}

// Port is a container port.
type Port struct {
	// Name may be empty.
	Name   string
	Number uint16
}

func newView(pod *corev1.Pod) *View {
	view := &View{
		Namespace:      pod.Namespace,
		ServiceAccount: serviceAccount(pod),
		Labels:         pod.Labels,
		Ports:          tcpPorts(pod),
	}
	view.Family = view.hash()
	view.Traffic = annotationsOf(pod, metadata.TrafficAnnotations)
	view.CertificateLifetime = certificateLifetime(pod)
	view.Name = view.hash()
	return view
}

// certificateLifetime is what the pod's identity volume asks for.
func certificateLifetime(pod *corev1.Pod) time.Duration {
	for _, volume := range pod.Spec.Volumes {
		if volume.Name != sidecar.VolumeIdentity || volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.PodCertificate != nil && source.PodCertificate.MaxExpirationSeconds != nil {
				return time.Duration(*source.PodCertificate.MaxExpirationSeconds) * time.Second
			}
		}
	}
	return 0
}

// tcpPorts looks where Kubernetes looks for a named target port: containers,
// then native sidecars. The proxy's own ports are no part of the workload.
func tcpPorts(pod *corev1.Pod) []Port {
	var ports []Port
	add := func(c *corev1.Container) {
		for _, p := range c.Ports {
			if p.Protocol == corev1.ProtocolTCP || p.Protocol == "" {
				ports = append(ports, Port{Name: p.Name, Number: uint16(p.ContainerPort)})
			}
		}
	}
	for i := range pod.Spec.Containers {
		add(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; isSidecar(c) && c.Name != sidecar.ProxyContainer {
			add(c)
		}
	}
	return ports
}

func (v *View) hash() string {
	h := sha256.New()
	write(h, v.Namespace, v.ServiceAccount)
	writeCount(h, len(v.Labels))
	for _, name := range slices.Sorted(maps.Keys(v.Labels)) {
		write(h, name, v.Labels[name])
	}
	for _, port := range v.Ports {
		write(h, port.Name)
		writeCount(h, int(port.Number))
	}
	for _, name := range slices.Sorted(maps.Keys(v.Traffic)) {
		write(h, name, v.Traffic[name])
	}
	if v.CertificateLifetime > 0 {
		writeCount(h, int(v.CertificateLifetime.Seconds()))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// write puts the length before each value, so that no two lists of values give
// the same bytes.
func write(h hash.Hash, values ...string) {
	for _, v := range values {
		writeCount(h, len(v))
		h.Write([]byte(v))
	}
}

func writeCount(h hash.Hash, n int) {
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
}

func (w *World) joinView(view *View, pod *Pod) {
	if _, ok := w.views[view.Name]; !ok {
		w.views[view.Name] = view
		w.viewsByNamespace.add(view.Namespace, view.Name)
		w.dirty.Views[view.Name] = struct{}{}
		w.touchCalled(view.Namespace)
	}
	w.podsByView.add(view.Name, pod.Key)
}

func (w *World) leaveView(pod *Pod) {
	w.podsByView.remove(pod.View, pod.Key)
	if len(w.podsByView[pod.View]) > 0 {
		return
	}
	delete(w.views, pod.View)
	w.viewsByNamespace.remove(pod.Key.Namespace, pod.View)
	w.dirty.Views[pod.View] = struct{}{}
	w.touchCalled(pod.Key.Namespace)
}

// View gives the view of that name, or nil if no pod belongs to it.
func (w *World) View(name string) *View { return w.views[name] }

// Views gives the names of all views, sorted.
func (w *World) Views() []string { return slices.Sorted(maps.Keys(w.views)) }

// ViewsIn gives the views of a namespace, sorted by name.
func (w *World) ViewsIn(namespace string) []*View {
	var views []*View
	for _, name := range slices.Sorted(maps.Keys(w.viewsByNamespace[namespace])) {
		views = append(views, w.views[name])
	}
	return views
}
