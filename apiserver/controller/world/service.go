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
	if old != nil && old.UID == service.UID && reflect.DeepEqual(old.Spec, service.Spec) &&
		reflect.DeepEqual(old.Status.LoadBalancer, service.Status.LoadBalancer) {
		if ScrapeOf(old) != ScrapeOf(service) {
			w.services[key] = service
			w.dirty.Notices[key] = struct{}{}
		}
		return
	}
	if old != nil {
		w.forgetService(old)
	}
	w.services[key] = service
	w.servicesByNamespace.add(key.Namespace, key)
	for _, a := range Addresses(service) {
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
	for _, a := range Addresses(service) {
		w.claims.remove(a, keyOf(service))
	}
}

// touchService marks what is compiled from a Service: itself, whoever claims
// one of its addresses as well, the workloads it selects, and the policies that
// name it.
func (w *World) touchService(service *corev1.Service) {
	key := keyOf(service)
	w.dirty.Services[key] = struct{}{}
	if len(w.restricted()) > 0 {
		// Callers that do not see a Service are refused at its addresses.
		w.dirty.Addresses = true
	}
	for _, a := range Addresses(service) {
		for other := range w.claims[a] {
			w.dirty.Services[other] = struct{}{}
		}
	}
	if Headless(service) {
		for _, slice := range w.SlicesOf(key) {
			w.touchSharers(slice)
		}
	}
	for _, view := range w.ViewsIn(key.Namespace) {
		if Selects(service, view) {
			w.dirty.Views[view.Name] = struct{}{}
		}
	}
	w.touchPoliciesNaming(Reference{Kind: KindService, Key: key})
}

// Addresses gives what a Service claims, each once: its cluster IPs, then its
// external IPs, then those of its load balancer to which calls go straight.
func Addresses(service *corev1.Service) []netip.Addr {
	addresses := ClusterIPs(service)
	for _, address := range external(service) {
		if !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// external gives the addresses that are not the cluster's own. A headless Service
// has none, as with kube-proxy. A load balancer of ipMode Proxy wants to see the
// calls itself (KEP-1860).
func external(service *corev1.Service) []netip.Addr {
	if service.Spec.Type == corev1.ServiceTypeExternalName || Headless(service) {
		return nil
	}
	texts := slices.Clone(service.Spec.ExternalIPs)
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		if ingress.IPMode == nil || *ingress.IPMode == corev1.LoadBalancerIPModeVIP {
			texts = append(texts, ingress.IP)
		}
	}
	var addresses []netip.Addr
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil && a.Unmap().IsGlobalUnicast() {
			addresses = append(addresses, a.Unmap())
		}
	}
	return addresses
}

// ClusterIPs gives the addresses that the cluster has given a Service, in the
// order of its spec; none for a headless Service.
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

// Owner gives the Service to which an address belongs, the zero Key if to none.
// Of those that claim it, those come first whose cluster IP it is; then the
// oldest, then the first by name. The address of a pod is no Service's, whoever
// claims it from outside.
func (w *World) Owner(address netip.Addr) Key {
	var owner Key
	for key := range w.claims[address] {
		if w.mayOwn(key, address) && (owner == (Key{}) || w.precedes(key, owner, address)) {
			owner = key
		}
	}
	return owner
}

func (w *World) mayOwn(key Key, address netip.Addr) bool {
	return len(w.podsByAddress[address]) == 0 || w.assigned(key, address)
}

func (w *World) precedes(a, b Key, address netip.Addr) bool {
	if w.assigned(a, address) != w.assigned(b, address) {
		return w.assigned(a, address)
	}
	return w.older(a, b)
}

// assigned tells whether an address is a cluster IP of a Service.
func (w *World) assigned(key Key, address netip.Addr) bool {
	return slices.Contains(ClusterIPs(w.services[key]), address)
}

func (w *World) older(a, b Key) bool {
	first, second := w.services[a].CreationTimestamp, w.services[b].CreationTimestamp
	if !first.Equal(&second) {
		return first.Before(&second)
	}
	return compareKeys(a, b) < 0
}
