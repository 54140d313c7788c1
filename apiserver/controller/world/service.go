// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// SetService takes in a Service that was created or changed.
func (w *World) SetService(service *corev1.Service) {
	key := keyOf(service)
	old := w.services[key]
	if old != nil && old.UID == service.UID && reflect.DeepEqual(old.Spec, service.Spec) {
		return
	}
	if old != nil {
		w.forgetService(old)
	}
	w.services[key] = service
	w.servicesByNamespace.add(key.Namespace, key)
	for _, a := range ClusterIPs(service) {
		w.claims.add(a, key)
	}
	if Headless(service) {
		w.headless[key] = struct{}{}
	}
	w.touchService(service)
}

// DeleteService forgets a Service.
func (w *World) DeleteService(key Key) {
	if old := w.services[key]; old != nil {
		w.forgetService(old)
		delete(w.services, key)
		w.servicesByNamespace.remove(key.Namespace, key)
	}
}

func (w *World) forgetService(service *corev1.Service) {
	w.touchService(service)
	if Headless(service) {
		w.dirty.Addresses = true
		delete(w.headless, keyOf(service))
	}
	for _, a := range ClusterIPs(service) {
		w.claims.remove(a, keyOf(service))
	}
}

// touchService marks what is compiled from a Service: itself, whoever claims
// one of its addresses as well, the workloads it selects, and the policies that
// name it.
func (w *World) touchService(service *corev1.Service) {
	key := keyOf(service)
	w.dirty.Services[key] = struct{}{}
	for _, a := range ClusterIPs(service) {
		for other := range w.claims[a] {
			w.dirty.Services[other] = struct{}{}
		}
	}
	for _, view := range w.ViewsIn(key.Namespace) {
		if Selects(service, view) {
			w.dirty.Views[view.Name] = struct{}{}
		}
	}
	w.touchPoliciesNaming(Reference{Kind: KindService, Key: key})
}

// ClusterIPs gives the addresses that a Service claims, in the order of its
// spec; none for a headless Service.
func ClusterIPs(service *corev1.Service) []netip.Addr {
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	texts := service.Spec.ClusterIPs
	if len(texts) == 0 {
		texts = []string{service.Spec.ClusterIP}
	}
	var addresses []netip.Addr
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			addresses = append(addresses, a)
		}
	}
	return addresses
}

// Selects tells whether a Service selects the pods of a view. A Service
// without a selector selects none: its EndpointSlices are written by hand.
func Selects(service *corev1.Service, view *View) bool {
	return service.Namespace == view.Namespace &&
		len(service.Spec.Selector) > 0 &&
		service.Spec.Type != corev1.ServiceTypeExternalName &&
		labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(view.Labels))
}

// Service gives the Service of that name, or nil.
func (w *World) Service(key Key) *corev1.Service { return w.services[key] }

// Services gives the names of all Services, sorted.
func (w *World) Services() []Key { return slices.SortedFunc(maps.Keys(w.services), compareKeys) }

// ServicesSelecting gives the Services that select the pods of a view, sorted
// by name.
func (w *World) ServicesSelecting(view *View) []*corev1.Service {
	var services []*corev1.Service
	for key := range w.servicesByNamespace[view.Namespace] {
		if service := w.services[key]; Selects(service, view) {
			services = append(services, service)
		}
	}
	slices.SortFunc(services, func(a, b *corev1.Service) int { return cmp.Compare(a.Name, b.Name) })
	return services
}

// Owner gives the Service to which a cluster IP belongs: of those that claim
// it, the oldest, then the first by name.
func (w *World) Owner(address netip.Addr) Key {
	var owner Key
	for key := range w.claims[address] {
		if owner == (Key{}) || w.older(key, owner) {
			owner = key
		}
	}
	return owner
}

func (w *World) older(a, b Key) bool {
	first, second := w.services[a].CreationTimestamp, w.services[b].CreationTimestamp
	if !first.Equal(&second) {
		return first.Before(&second)
	}
	return compareKeys(a, b) < 0
}
