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

// joinView takes in a view, which a pod is about to join.
func (w *World) joinView(view *View) {
	if _, ok := w.views.Get(nil, view.Name); ok {
		return
	}
	w.views.Set(view.Name, view)
	w.viewsByNamespace.Add(view.Namespace, view.Name)
	w.viewsByNamespace.Add("", view.Name)
	w.selecting.SetRight(view.Name, view.Namespace)
	w.policies.selecting.SetRight(view.Name, view.Namespace, "")
}

// leaveView forgets the view of a pod that has left it, if that was its last.
func (w *World) leaveView(pod *Pod) {
	view, ok := w.views.Get(nil, pod.View)
	if !ok || w.podsByView.Len(nil, view.Name) > 0 {
		return
	}
	w.views.Delete(view.Name)
	w.viewsByNamespace.Remove(view.Namespace, view.Name)
	w.viewsByNamespace.Remove("", view.Name)
	w.selecting.SetRight(view.Name)
	w.policies.selecting.SetRight(view.Name)
}

// OnView has f called when a view has come or gone.
func (w *World) OnView(f func(name string)) { w.views.OnKey(f) }

// View gives the view of that name, or nil if no pod belongs to it.
func (r Reader) View(name string) *View {
	view, _ := r.w.views.Get(r.record, name)
	return view
}

// ViewsIn gives the views of a namespace, sorted by name.
func (r Reader) ViewsIn(namespace string) []*View {
	return r.viewsOf(sortedNames(r.w.viewsByNamespace.Of(r.record, namespace)))
}

// viewsOf gives the views of these names. A view is never changed, so that it is there
// is all that there is to record, which whoever found the names has done.
func (r Reader) viewsOf(names []string) []*View {
	views := make([]*View, len(names))
	for i, name := range names {
		views[i], _ = r.w.views.Get(nil, name)
	}
	return views
}

// PodsIn gives the pods that belong to a view, sorted by name.
func (r Reader) PodsIn(view string) []*Pod {
	return r.podsOf(sortedKeys(r.w.podsByView.Of(r.record, view)))
}
