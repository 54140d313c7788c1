// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
)

// maxNote is how many bytes of a note the API takes (events.k8s.io/v1).
const maxNote = 1024

// reasonAnnotation is the reason of the Events about annotations.
const reasonAnnotation = "TrafficAnnotation"

// warn tells of annotations that do not act as they are written.
func warn(recorder events.EventRecorder, warnings []warning) {
	for _, w := range warnings {
		note := w.message
		if len(note) > maxNote {
			note = strings.ToValidUTF8(note[:maxNote], "")
		}
		recorder.Eventf(w.about.object(), nil, corev1.EventTypeWarning, reasonAnnotation, "Configure", "%s", note)
	}
}

func (a annotated) object() runtime.Object {
	if a.Pod == "" {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.Namespace, UID: types.UID(a.UID)}}
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Pod, UID: types.UID(a.UID)}}
}
