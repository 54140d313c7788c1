// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// AnyPort stands for every port at which no headless Service has an endpoint.
const AnyPort uint16 = 0

// Headless tells whether callers dial a Service's endpoints themselves.
func Headless(service *corev1.Service) bool {
	return service.Spec.ClusterIP == corev1.ClusterIPNone ||
		slices.Contains(service.Spec.ClusterIPs, corev1.ClusterIPNone)
}

// Ports gives the ports at which headless Services have endpoints, sorted.
func (w *World) Ports() []uint16 { return slices.Sorted(maps.Keys(w.headlessByPort)) }

// HeadlessAt gives the headless Services that have an endpoint at a port, the
// oldest first.
func (w *World) HeadlessAt(port uint16) []*corev1.Service {
	var found []*corev1.Service
	for _, key := range slices.SortedFunc(maps.Keys(w.headlessByPort[port]), w.compareAge) {
		found = append(found, w.services[key])
	}
	return found
}

func (w *World) compareAge(a, b Key) int {
	switch {
	case a == b:
		return 0
	case w.older(a, b):
		return -1
	default:
		return 1
	}
}

// fileHeadless finds out at which ports a Service has endpoints that callers
// dial themselves. It marks the ports at which it had some; touchPorts, those at
// which it has.
func (w *World) fileHeadless(key Key) {
	w.touchPorts(key)
	for port := range w.headlessPorts[key] {
		w.headlessByPort.remove(port, key)
	}
	delete(w.headlessPorts, key)
	if service := w.services[key]; service == nil || !Headless(service) {
		return
	}
	for slice := range w.slicesByService[key] {
		for _, p := range w.slices[slice].Ports {
			if port, ok := EndpointPort(&p); ok {
				w.headlessPorts.add(key, port)
				w.headlessByPort.add(port, key)
			}
		}
	}
}

// touchPorts marks the ports of a headless Service.
func (w *World) touchPorts(key Key) {
	for port := range w.headlessPorts[key] {
		w.dirty.Ports[port] = struct{}{}
	}
}

// touchAddresses marks what is made of the addresses of all meshed pods.
func (w *World) touchAddresses() {
	w.dirty.Ports[AnyPort] = struct{}{}
	for port := range w.headlessByPort {
		w.dirty.Ports[port] = struct{}{}
	}
}
