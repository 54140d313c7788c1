// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"net/netip"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// SetSlice takes in an EndpointSlice that was created or changed.
func (w *World) SetSlice(slice *discoveryv1.EndpointSlice) {
	key := keyOf(slice)
	old, _ := w.slices.Get(nil, key)
	if old != nil && sameSlice(old, slice) {
		return
	}
	w.slices.Set(key, slice)
	w.fileSlice(slice, true)
	if old != nil {
		w.fileSlice(old, false)
	}
}

// DeleteSlice forgets an EndpointSlice.
func (w *World) DeleteSlice(key Key) {
	if old, ok := w.slices.Get(nil, key); ok {
		w.slices.Delete(key)
		w.fileSlice(old, false)
	}
}

func (w *World) fileSlice(slice *discoveryv1.EndpointSlice, there bool) {
	service := serviceOf(slice)
	file(w.slicesByService, service, keyOf(slice), there)
	for i := range slice.Endpoints {
		for _, a := range EndpointAddresses(&slice.Endpoints[i]) {
			file(w.servicesByAddress, a, service, there)
		}
	}
}

func sameSlice(a, b *discoveryv1.EndpointSlice) bool {
	return serviceOf(a) == serviceOf(b) &&
		a.AddressType == b.AddressType &&
		reflect.DeepEqual(a.Ports, b.Ports) &&
		reflect.DeepEqual(a.Endpoints, b.Endpoints)
}

func serviceOf(slice *discoveryv1.EndpointSlice) Key {
	return Key{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
}

// TargetPod gives the pod that an endpoint says it stands for. A slice speaks
// for its own namespace only: a reference to another gives a name that its
// pod's key never equals.
func TargetPod(slice *discoveryv1.EndpointSlice, endpoint *discoveryv1.Endpoint) (Key, bool) {
	ref := endpoint.TargetRef
	if ref == nil || ref.Kind != "Pod" {
		return Key{}, false
	}
	namespace := ref.Namespace
	if namespace == "" {
		namespace = slice.Namespace
	}
	return Key{Namespace: namespace, Name: ref.Name}, true
}

// EndpointPort gives the TCP port that a port of a slice stands for; false if it
// is none that can be dialled. The API server takes any number in a slice.
func EndpointPort(port *discoveryv1.EndpointPort) (uint16, bool) {
	tcp := port.Protocol == nil || *port.Protocol == corev1.ProtocolTCP
	if !tcp || port.Port == nil || *port.Port < 1 || *port.Port > 65535 {
		return 0, false
	}
	return uint16(*port.Port), true
}

// EndpointAddresses gives the addresses of an endpoint that are IP addresses.
func EndpointAddresses(endpoint *discoveryv1.Endpoint) []netip.Addr {
	var addresses []netip.Addr
	for _, text := range endpoint.Addresses {
		if a, err := netip.ParseAddr(text); err == nil {
			// ::ffff:198.18.0.1 is dialled as 198.18.0.1, and is whosever that is.
			addresses = append(addresses, a.Unmap())
		}
	}
	return addresses
}

// SlicesOf gives the EndpointSlices of a Service, sorted by name.
func (r Reader) SlicesOf(service Key) []*discoveryv1.EndpointSlice {
	keys := sortedKeys(r.w.slicesByService.Of(r.record, service))
	found := make([]*discoveryv1.EndpointSlice, len(keys))
	for i, key := range keys {
		found[i], _ = r.w.slices.Get(r.record, key)
	}
	return found
}

// ServicesAt gives the Services that have an address among their endpoints, in no order.
func (r Reader) ServicesAt(address netip.Addr) []Key {
	return r.w.servicesByAddress.Of(r.record, address)
}
