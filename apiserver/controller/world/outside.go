// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"slices"
	"strconv"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// The kinds of objects by which kube-apiserver calls Services.
const (
	KindValidatingWebhooks = "ValidatingWebhookConfiguration"
	KindMutatingWebhooks   = "MutatingWebhookConfiguration"
	KindAPIService         = "APIService"
)

// defaultAPIPort is the Service port that kube-apiserver calls where an object names
// none (admissionregistration/v1 and apiregistration/v1, ServiceReference).
const defaultAPIPort = 443

// Registration is an object by which kube-apiserver calls a port of a Service.
type Registration struct {
	Kind, Name string
	// Port is that of the Service.
	Port int32
}

// registered is a Registration with the Service that it names.
type registered struct {
	Registration
	service Key
}

// SetValidatingWebhooks takes in a configuration of webhooks.
func (w *World) SetValidatingWebhooks(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) {
	var found []registered
	for i := range configuration.Webhooks {
		found = append(found, webhook(KindValidatingWebhooks, configuration.Name, configuration.Webhooks[i].ClientConfig.Service)...)
	}
	w.register(Reference{Kind: KindValidatingWebhooks, Key: keyOf(configuration)}, found)
}

// DeleteValidatingWebhooks forgets one.
func (w *World) DeleteValidatingWebhooks(key Key) {
	w.register(Reference{Kind: KindValidatingWebhooks, Key: key}, nil)
}

// SetMutatingWebhooks takes in a configuration of webhooks.
func (w *World) SetMutatingWebhooks(configuration *admissionregistrationv1.MutatingWebhookConfiguration) {
	var found []registered
	for i := range configuration.Webhooks {
		found = append(found, webhook(KindMutatingWebhooks, configuration.Name, configuration.Webhooks[i].ClientConfig.Service)...)
	}
	w.register(Reference{Kind: KindMutatingWebhooks, Key: keyOf(configuration)}, found)
}

// DeleteMutatingWebhooks forgets one.
func (w *World) DeleteMutatingWebhooks(key Key) {
	w.register(Reference{Kind: KindMutatingWebhooks, Key: key}, nil)
}

// SetAPIService takes in an APIService.
func (w *World) SetAPIService(service *apiregistrationv1.APIService) {
	var found []registered
	if to := service.Spec.Service; to != nil {
		found = append(found, registration(KindAPIService, service.Name, to.Namespace, to.Name, to.Port))
	}
	w.register(Reference{Kind: KindAPIService, Key: keyOf(service)}, found)
}

// DeleteAPIService forgets one.
func (w *World) DeleteAPIService(key Key) {
	w.register(Reference{Kind: KindAPIService, Key: key}, nil)
}

func webhook(kind, name string, to *admissionregistrationv1.ServiceReference) []registered {
	if to == nil {
		return nil
	}
	return []registered{registration(kind, name, to.Namespace, to.Name, to.Port)}
}

func registration(kind, name, namespace, service string, port *int32) registered {
	out := registered{Registration{Kind: kind, Name: name, Port: defaultAPIPort}, Key{Namespace: namespace, Name: service}}
	if port != nil {
		out.Port = *port
	}
	return out
}

// register replaces what an object registers.
func (w *World) register(object Reference, now []registered) {
	before := w.registered[object]
	if slices.Equal(before, now) {
		return
	}
	for _, r := range now {
		w.registrations.Add(r.service, r.Registration)
	}
	for _, r := range before {
		w.registrations.Remove(r.service, r.Registration)
	}
	if len(now) > 0 {
		w.registered[object] = now
	} else {
		delete(w.registered, object)
	}
}

// Registrations gives the objects by which kube-apiserver calls a Service, sorted.
func (r Reader) Registrations(service Key) []Registration {
	found := r.w.registrations.Of(r.record, service)
	slices.SortFunc(found, func(a, b Registration) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
	})
	return found
}

// Scrape is what the annotations prometheus.io/scrape and prometheus.io/port say.
type Scrape struct {
	Asked bool
	// Port is that of the pod; 0 if they name none.
	Port uint16
}

// ScrapeOf reads them of a pod or Service, as the example configuration of
// Prometheus does (documentation/examples/prometheus-kubernetes.yml).
func ScrapeOf(object metav1.Object) Scrape {
	annotations := object.GetAnnotations()
	if annotations[metadata.ScrapeAnnotation] != "true" {
		return Scrape{}
	}
	// What is no number is none to Prometheus either.
	port, _ := strconv.ParseUint(annotations[metadata.ScrapePortAnnotation], 10, 16)
	return Scrape{Asked: true, Port: uint16(port)}
}

// Reaches tells whether a pod of a view takes a port through its proxy: one
// that excludes the port takes it from all callers.
func (r Reader) Reaches(view string, port uint16) bool {
	if r.w.excluding.Len(r.record, view) == 0 {
		return true
	}
	return slices.ContainsFunc(r.PodsIn(view), func(pod *Pod) bool { return !slices.Contains(pod.Excluded, port) })
}

// OnAsking has f called when a view has its first pod that asks Prometheus to come, or
// has lost its last.
func (w *World) OnAsking(f func(view string)) { w.asking.OnKey(f) }

// AsksToBeScraped tells whether a pod of a view asks Prometheus to come.
func (r Reader) AsksToBeScraped(view string) bool { return r.w.asking.Len(r.record, view) > 0 }
