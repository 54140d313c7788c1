// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// worthAnEvent tells whether a condition has to be acted on: one of those that every
// kind has, which is false, and not because proxies have not answered yet, for that
// passes by itself.
func worthAnEvent(c metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionProgrammed:
		return c.Status == metav1.ConditionFalse && c.Reason != ReasonPending
	}
	return false
}

// maxNote is what an Event's note may have, in bytes (events.k8s.io/v1 allows 1024).
const maxNote = 1000

// tell makes an Event of each condition that has turned bad, once: not again
// while the reason stays, nor twice where two conditions share one. It comes
// after the write, whose pace bounds the number of Events.
func (w *Writer) tell(object runtime.Object, before, now []metav1.Condition) {
	told := map[string]bool{}
	for _, c := range now {
		old := meta.FindStatusCondition(before, c.Type)
		if !worthAnEvent(c) || told[c.Reason] || old != nil && old.Reason == c.Reason && old.ObservedGeneration == c.ObservedGeneration {
			continue
		}
		told[c.Reason] = true
		note := c.Message
		if len(note) > maxNote {
			note = strings.ToValidUTF8(note[:maxNote], "") + "…"
		}
		w.recorder.Eventf(object, nil, corev1.EventTypeWarning, c.Reason, "Program", "%s", note)
	}
}
