// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
)

// maxNote is how many bytes of a note the API takes (events.k8s.io/v1).
const maxNote = 1024

// reasonAnnotation is the reason of the Events about annotations.
const reasonAnnotation = "TrafficAnnotation"

// warn tells of annotations that do not act as they are written.
func warn(recorder events.EventRecorder, warnings []warning) {
	if recorder == nil {
		return
	}
	for _, w := range warnings {
		recorder.Eventf(w.about.reference(), nil, corev1.EventTypeWarning, reasonAnnotation, "Configure", "%s", cutNote(w.message))
	}
}

// reference is written out: the server's scheme does not know Kubernetes' kinds.
func (a annotated) reference() *corev1.ObjectReference {
	out := &corev1.ObjectReference{APIVersion: "v1", Kind: a.kind(), Namespace: a.Namespace, Name: a.Pod, UID: types.UID(a.UID)}
	if a.Pod == "" {
		out.Namespace, out.Name = "", a.Namespace
	}
	return out
}
