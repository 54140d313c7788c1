// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"net/netip"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
)

// SetService takes in a Service that was created or changed.
func (w *World) SetService(service *corev1.Service) {
	key := keyOf(service)
	if scrape := ScrapeOf(service); scrape.Asked {
		if old, _ := w.scrapes.Get(nil, key); old != scrape {
			w.scrapes.Set(key, scrape)
		}
	} else {
		w.scrapes.Delete(key)
	}
	old, _ := w.services.Get(nil, key)
	if old != nil && old.UID == service.UID && reflect.DeepEqual(old.Spec, service.Spec) &&
		reflect.DeepEqual(old.Status.LoadBalancer, service.Status.LoadBalancer) {
		return
	}
	w.services.Set(key, service)
	w.fileService(service, true)
	if old != nil {
		w.fileService(old, false)
	}
	w.selecting.SetLeft(key, key.Namespace)
}

// DeleteService forgets a Service.
func (w *World) DeleteService(key Key) {
	old, ok := w.services.Get(nil, key)
	if !ok {
		return
	}
	w.services.Delete(key)
	w.scrapes.Delete(key)
	w.fileService(old, false)
	w.selecting.SetLeft(key)
}

func (w *World) fileService(service *corev1.Service, there bool) {
	key := keyOf(service)
	file(w.servicesByNamespace, key.Namespace, key, there)
	for _, a := range Addresses(service) {
		file(w.claims, a, key, there)
	}
	if Headless(service) {
		file(w.headless, whole{}, key, there)
	}
}

// file puts a member under a key of an index, or takes it away.
func file[K, M comparable](x *graph.Index[K, M], key K, member M, there bool) {
	if there {
		x.Add(key, member)
	} else {
		x.Remove(key, member)
	}
}

// OnService has f called when a Service has come or gone.
func (w *World) OnService(f func(Key)) { w.services.OnKey(f) }

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

// selects is Selects by names; false if either is not there.
func (w *World) selects(service Key, view string) bool {
	s, _ := w.services.Get(nil, service)
	v, _ := w.views.Get(nil, view)
	return s != nil && v != nil && Selects(s, v)
}

// Service gives the Service of that name, or nil.
func (r Reader) Service(key Key) *corev1.Service {
	service, _ := r.w.services.Get(r.record, key)
	return service
}

// ServicesSelecting gives the Services that select the pods of a view, sorted
// by name.
func (r Reader) ServicesSelecting(view *View) []*corev1.Service {
	return r.servicesOf(sortedKeys(r.w.selecting.Lefts(r.record, view.Name)))
}

// ViewsSelected gives the views whose pods a Service selects, sorted by name.
func (r Reader) ViewsSelected(service Key) []*View {
	return r.viewsOf(sortedNames(r.w.selecting.Rights(r.record, service)))
}

// ServicesIn gives the names of a namespace's Services, sorted.
func (r Reader) ServicesIn(namespace string) []Key {
	return sortedKeys(r.w.servicesByNamespace.Of(r.record, namespace))
}

func (r Reader) servicesOf(keys []Key) []*corev1.Service {
	services := make([]*corev1.Service, len(keys))
	for i, key := range keys {
		services[i] = r.Service(key)
	}
	return services
}

// ScrapeOfService is what the annotations of a Service say to Prometheus.
func (r Reader) ScrapeOfService(key Key) Scrape {
	scrape, _ := r.w.scrapes.Get(r.record, key)
	return scrape
}

// Owner gives the Service to which an address belongs, the zero Key if to none.
// Of those that claim it, those come first whose cluster IP it is; then the
// oldest, then the first by name. The address of a pod is no Service's, whoever
// claims it from outside.
func (r Reader) Owner(address netip.Addr) Key {
	var owner Key
	for _, key := range r.w.claims.Of(r.record, address) {
		if r.mayOwn(key, address) && (owner == (Key{}) || r.precedes(key, owner, address)) {
			owner = key
		}
	}
	return owner
}

func (r Reader) mayOwn(key Key, address netip.Addr) bool {
	return r.w.podsByAddress.Len(r.record, address) == 0 || r.assigned(key, address)
}

func (r Reader) precedes(a, b Key, address netip.Addr) bool {
	if r.assigned(a, address) != r.assigned(b, address) {
		return r.assigned(a, address)
	}
	return r.older(a, b)
}

// assigned tells whether an address is a cluster IP of a Service.
func (r Reader) assigned(key Key, address netip.Addr) bool {
	return slices.Contains(ClusterIPs(r.Service(key)), address)
}

func (r Reader) older(a, b Key) bool {
	first, second := r.Service(a).CreationTimestamp, r.Service(b).CreationTimestamp
	if !first.Equal(&second) {
		return first.Before(&second)
	}
	return compareKeys(a, b) < 0
}
