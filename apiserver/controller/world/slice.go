// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// SetSlice takes in an EndpointSlice that was created or changed.
func (w *World) SetSlice(slice *discoveryv1.EndpointSlice) {
	key := keyOf(slice)
	if old := w.slices[key]; old != nil {
		if sameSlice(old, slice) {
			return
		}
		w.forgetSlice(old)
	}
	w.slices[key] = slice
	w.slicesByService.add(serviceOf(slice), key)
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		for _, a := range EndpointAddresses(endpoint) {
			w.slicesByAddress.add(a, key)
		}
		if pod, ok := TargetPod(slice, endpoint); ok {
			w.slicesByPod.add(pod, key)
		}
	}
	w.touchServiceOf(key)
}

// DeleteSlice forgets an EndpointSlice.
func (w *World) DeleteSlice(key Key) {
	if old := w.slices[key]; old != nil {
		w.forgetSlice(old)
		delete(w.slices, key)
	}
}

func (w *World) forgetSlice(slice *discoveryv1.EndpointSlice) {
	key := keyOf(slice)
	w.touchServiceOf(key)
	w.slicesByService.remove(serviceOf(slice), key)
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		for _, a := range EndpointAddresses(endpoint) {
			w.slicesByAddress.remove(a, key)
		}
		if pod, ok := TargetPod(slice, endpoint); ok {
			w.slicesByPod.remove(pod, key)
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

func (w *World) touchServiceOf(slice Key) {
	service := serviceOf(w.slices[slice])
	w.dirty.Services[service] = struct{}{}
	if _, ok := w.headless[service]; ok {
		w.touchSharers(w.slices[slice])
	}
}

// touchSharers marks the Services that have an address of a headless Service's
// slice as well: whose endpoint it is may be told them.
func (w *World) touchSharers(slice *discoveryv1.EndpointSlice) {
	for i := range slice.Endpoints {
		for _, a := range EndpointAddresses(&slice.Endpoints[i]) {
			for other := range w.slicesByAddress[a] {
				w.dirty.Notices[serviceOf(w.slices[other])] = struct{}{}
			}
		}
	}
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
func (w *World) SlicesOf(service Key) []*discoveryv1.EndpointSlice {
	var found []*discoveryv1.EndpointSlice
	for _, key := range slices.SortedFunc(maps.Keys(w.slicesByService[service]), compareKeys) {
		found = append(found, w.slices[key])
	}
	return found
}
