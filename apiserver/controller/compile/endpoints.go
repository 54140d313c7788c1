// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// candidate is one address of an EndpointSlice at one port, and who answers there.
type candidate struct {
	slice    *discoveryv1.EndpointSlice
	endpoint *discoveryv1.Endpoint
	address  netip.Addr
	port     uint16
	pod      *world.Pod
	standing standing
}

// behind fills in what stands behind a Service's port. Only what serves is an
// endpoint; who may answer, and whether all of them are in the mesh, does not hang
// on readiness, so that a pod that is not ready for a while, as each is when a
// kubelet restarts, changes endpoints alone and not the cluster.
func behind(w world.Reader, service *corev1.Service, port *corev1.ServicePort, out *model.ServicePort) {
	settings := w.Settings()
	all := candidates(w, service, port)
	identities := map[string]struct{}{}
	for _, c := range all {
		switch c.standing {
		case meshed:
			identities[model.SPIFFEID(settings.TrustDomain(), c.pod.Key.Namespace, c.pod.ServiceAccount)] = struct{}{}
		case unmeshed:
			out.Unmeshed = out.Unmeshed || !settings.RefuseUnmeshed()
		}
	}
	out.Identities = slices.Sorted(maps.Keys(identities))
	found := map[netip.AddrPort]model.Endpoint{}
	for _, c := range ofFamily(service, usable(all)) {
		at := netip.AddrPortFrom(c.address, c.port)
		switch c.standing {
		case meshed:
			found[at] = model.Endpoint{Address: c.address, Port: c.port}
		case unmeshed:
			if _, ok := found[at]; !ok && !settings.RefuseUnmeshed() {
				found[at] = model.Endpoint{Address: c.address, Port: c.port, Plaintext: true}
			}
		}
	}
	out.Endpoints = sortedEndpoints(found)
}

func sortedEndpoints(found map[netip.AddrPort]model.Endpoint) []model.Endpoint {
	return slices.SortedFunc(maps.Values(found), func(a, b model.Endpoint) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Port, b.Port))
	})
}

// candidates are all addresses that the EndpointSlices have for a port.
func candidates(w world.Reader, service *corev1.Service, port *corev1.ServicePort) []candidate {
	return candidatesAt(w, service, port, func(uint16) bool { return true })
}

// candidatesAt are those at the numbers that are wanted.
func candidatesAt(w world.Reader, service *corev1.Service, port *corev1.ServicePort, wanted func(uint16) bool) []candidate {
	var found []candidate
	for _, slice := range w.SlicesOf(world.Key{Namespace: service.Namespace, Name: service.Name}) {
		for _, number := range slicePorts(slice, port.Name) {
			if !wanted(number) {
				continue
			}
			for i := range slice.Endpoints {
				for _, address := range world.EndpointAddresses(&slice.Endpoints[i]) {
					c := candidate{slice: slice, endpoint: &slice.Endpoints[i], address: address, port: number}
					c.pod, c.standing = backing(w, c)
					found = append(found, c)
				}
			}
		}
	}
	return found
}

// slicePorts gives the TCP port numbers that a slice has under a name.
func slicePorts(slice *discoveryv1.EndpointSlice, name string) []uint16 {
	var numbers []uint16
	for i := range slice.Ports {
		p := &slice.Ports[i]
		sameName := p.Name == nil && name == "" || p.Name != nil && *p.Name == name
		if number, ok := world.EndpointPort(p); ok && sameName {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// usable keeps the endpoints that kube-proxy would use: those that are ready;
// if there is none, those that end but still serve (KEP-1669).
func usable(all []candidate) []candidate {
	var ready, draining []candidate
	for _, c := range all {
		conditions := c.endpoint.Conditions
		isReady := conditions.Ready == nil || *conditions.Ready
		serving := conditions.Serving == nil && isReady || conditions.Serving != nil && *conditions.Serving
		terminating := conditions.Terminating != nil && *conditions.Terminating
		switch {
		case isReady:
			ready = append(ready, c)
		case serving && terminating:
			draining = append(draining, c)
		}
	}
	if len(ready) > 0 {
		return ready
	}
	return draining
}

// ofFamily keeps one address of each pod of a dual-stack Service, which stands
// in a slice of each family: the one of the Service's first family, unless
// nothing serves there.
func ofFamily(service *corev1.Service, all []candidate) []candidate {
	if len(service.Spec.IPFamilies) == 0 {
		return all
	}
	ipv4 := service.Spec.IPFamilies[0] == corev1.IPv4Protocol
	var first []candidate
	for _, c := range all {
		if c.address.Is4() == ipv4 {
			first = append(first, c)
		}
	}
	if len(first) == 0 {
		return all
	}
	return first
}

// standing is how an endpoint stands to the mesh.
type standing int

const (
	// unknown endpoints are left out: who answers there cannot be established.
	unknown standing = iota
	// meshed endpoints are reached over mTLS.
	meshed
	// unmeshed endpoints belong to no pod of the mesh.
	unmeshed
)

// backing establishes who answers at an address. A pod is believed only if
// name, UID, namespace and address agree with what the slice says; a slice
// written by hand speaks for no meshed pod and for no pod of another namespace.
func backing(w world.Reader, c candidate) (*world.Pod, standing) {
	key, named := world.TargetPod(c.slice, c.endpoint)
	if !named {
		return nil, handwritten(w, c)
	}
	pod := w.Pod(key)
	if pod == nil || key.Namespace != c.slice.Namespace || pod.UID != string(c.endpoint.TargetRef.UID) {
		return nil, unknown
	}
	if !pod.HostNetwork && !pod.Has(c.address) {
		return nil, unknown
	}
	if pod.Meshed {
		return pod, meshed
	}
	for _, other := range w.PodsAt(c.address) {
		if other != pod && (other.Meshed || other.Key.Namespace != c.slice.Namespace) {
			return nil, unknown
		}
	}
	return pod, unmeshed
}

func handwritten(w world.Reader, c candidate) standing {
	for _, pod := range w.PodsAt(c.address) {
		if pod.Meshed || pod.Key.Namespace != c.slice.Namespace {
			return unknown
		}
	}
	return unmeshed
}
