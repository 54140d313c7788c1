// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
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
func (r Reader) HeadlessServices() []*corev1.Service {
	return r.servicesOf(r.sortedByAge(r.w.headless.Of(r.record, whole{})))
}

// HeadlessOlderThan gives those of some Services that have no cluster IP and are older
// than another, the oldest first.
func (r Reader) HeadlessOlderThan(than Key, some []Key) []Key {
	some = slices.DeleteFunc(some, func(key Key) bool {
		service := r.Service(key)
		return service == nil || !Headless(service) || r.Service(than) == nil || !r.older(key, than)
	})
	return r.sortedByAge(some)
}

func (r Reader) sortedByAge(services []Key) []Key {
	slices.SortFunc(services, r.compareAge)
	return services
}

func (r Reader) compareAge(a, b Key) int {
	switch {
	case a == b:
		return 0
	case r.older(a, b):
		return -1
	default:
		return 1
	}
}
