// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Headless tells whether callers dial a Service's endpoints themselves.
func Headless(service *corev1.Service) bool {
	return service.Spec.ClusterIP == corev1.ClusterIPNone ||
		slices.Contains(service.Spec.ClusterIPs, corev1.ClusterIPNone)
}

// HeadlessServices gives the Services whose endpoints callers dial themselves,
// the oldest first.
func (w *World) HeadlessServices() []*corev1.Service {
	var found []*corev1.Service
	for _, key := range slices.SortedFunc(maps.Keys(w.headless), w.compareAge) {
		found = append(found, w.services[key])
	}
	return found
}

// HeadlessServicesIn gives those of a namespace, the oldest first.
func (w *World) HeadlessServicesIn(namespace string) []*corev1.Service {
	var keys []Key
	for key := range w.servicesByNamespace[namespace] {
		if _, ok := w.headless[key]; ok {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, w.compareAge)
	var found []*corev1.Service
	for _, key := range keys {
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
