// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
)

// ReasonRefused is the reason of Events about what a proxy did not accept.
const ReasonRefused = "RejectedByProxy"

// refusals tells by Events whose configuration a proxy has refused: of what was
// made of a Service on the Service, else on the pod of the proxy. Policies have
// it in their status, and an Event from there. The broadcaster makes one series
// of an object's Events, whatever the number of proxies.
//
// A pod has a certificate and may say what it likes in the name of its Envoy. So its
// words are shown on objects of its own namespace alone.
type refusals struct {
	services corelisters.ServiceLister
	recorder events.EventRecorder
}

func newRefusals(host informers.SharedInformerFactory, recorder events.EventRecorder) refusals {
	return refusals{services: host.Core().V1().Services().Lister(), recorder: recorder}
}

func (r refusals) tell(owner unit.ID, nack xds.Nack) {
	pod := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: nack.Proxy.Namespace, Name: nack.Proxy.Pod, UID: types.UID(nack.Proxy.UID),
	}
	words := fmt.Sprintf("%s refused %s, and keeps what it had: %s", nack.Proxy, nack.Name, nack.Message)
	service := r.service(owner)
	switch {
	case service == nil:
		r.record(pod, nil, words)
	case service.Namespace == pod.Namespace:
		r.record(service, pod, words)
	default:
		r.record(service, nil, fmt.Sprintf("a proxy of another namespace refused %s, and keeps what it had; an Event on its pod, and the server's log, say why", nack.Name))
		r.record(pod, nil, words)
	}
}

func (r refusals) record(regarding, related *corev1.ObjectReference, note string) {
	r.recorder.Eventf(regarding, optional(related), corev1.EventTypeWarning, ReasonRefused, "Program", "%s", cutNote(note))
}

// optional keeps a nil reference from becoming an interface that is not nil.
func optional(reference *corev1.ObjectReference) runtime.Object {
	if reference == nil {
		return nil
	}
	return reference
}

func (r refusals) service(owner unit.ID) *corev1.ObjectReference {
	switch owner.Kind {
	case kindService, kindEndpoints, kindHeadless:
	default:
		return nil
	}
	namespace, name, err := cache.SplitMetaNamespaceKey(owner.Name)
	if err != nil {
		return nil
	}
	service, err := r.services.Services(namespace).Get(name)
	if err != nil {
		return nil
	}
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name, UID: service.UID}
}

func cutNote(note string) string {
	if len(note) < maxNote {
		return note
	}
	return strings.ToValidUTF8(note[:maxNote-4], "") + "..."
}

// owner is the unit that gave a resource.
func (l *ledger) owner(nack xds.Nack) unit.ID {
	return l.owners[envoy.Key{TypeURL: nack.TypeURL, Name: nack.Name, View: nack.View}]
}

// noEvents tells nobody.
type noEvents struct{}

func (noEvents) Eventf(_, _ runtime.Object, _, _, _, _ string, _ ...any) {}
