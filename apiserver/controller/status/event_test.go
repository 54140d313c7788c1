// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

func TestEventIsToldOnceWhenAConditionTurnsBad(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string, generation int64) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, ObservedGeneration: generation, Message: "words"}
	}
	rejected := condition(v1alpha1.ConditionProgrammed, metav1.ConditionFalse, ReasonRejected, 1)
	for name, test := range map[string]struct {
		before, now []metav1.Condition
		want        []string
	}{
		"refused by Envoy": {nil, []metav1.Condition{rejected}, []string{"Warning RejectedByProxy words"}},
		"refused still":    {[]metav1.Condition{rejected}, []metav1.Condition{rejected}, nil},
		"refused again after an edit": {
			[]metav1.Condition{rejected},
			[]metav1.Condition{condition(v1alpha1.ConditionProgrammed, metav1.ConditionFalse, ReasonRejected, 2)},
			[]string{"Warning RejectedByProxy words"},
		},
		"a target that both conditions miss": {
			nil,
			[]metav1.Condition{
				condition(v1alpha1.ConditionAccepted, metav1.ConditionFalse, ReasonTargetNotFound, 1),
				condition(v1alpha1.ConditionProgrammed, metav1.ConditionFalse, ReasonTargetNotFound, 1),
			},
			[]string{"Warning TargetNotFound words"},
		},
		"not acknowledged yet": {
			nil, []metav1.Condition{condition(v1alpha1.ConditionProgrammed, metav1.ConditionFalse, ReasonPending, 1)}, nil,
		},
		"good again": {
			[]metav1.Condition{rejected},
			[]metav1.Condition{condition(v1alpha1.ConditionProgrammed, metav1.ConditionTrue, ReasonProgrammed, 2)}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(10)
			(&Writer{recorder: recorder}).tell(&v1alpha1.MeshPolicy{}, test.before, test.now)
			close(recorder.Events)
			var got []string
			for e := range recorder.Events {
				got = append(got, e)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
