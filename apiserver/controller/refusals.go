// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

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
type refusals struct{ recorder events.EventRecorder }

// tell tells of a refusal of what was made of an object, nil if it is no one's.
func (r refusals) tell(object *corev1.ObjectReference, nack xds.Nack) {
	pod := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: nack.Proxy.Namespace, Name: nack.Proxy.Pod, UID: types.UID(nack.Proxy.UID),
	}
	words := fmt.Sprintf("%s refused %s, and keeps what it had: %s", nack.Proxy, nack.Name, nack.Message)
	switch {
	case object == nil:
		r.record(pod, nil, words)
	case object.Namespace == pod.Namespace:
		r.record(object, pod, words)
	default:
		r.record(object, nil, fmt.Sprintf("a proxy of another namespace refused %s, and keeps what it had; an Event on its pod, and the server's log, say why", nack.Name))
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
