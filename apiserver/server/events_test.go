// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
)

// answeringSink answers every create with err.
type answeringSink struct {
	events.EventSink
	err error
}

func (s answeringSink) Create(context.Context, *eventsv1.Event) (*eventsv1.Event, error) {
	return nil, s.err
}

func TestEventsOfNamespacesThatEndAreNoError(t *testing.T) {
	terminating := apierrors.NewForbidden(eventsv1.Resource("events"), "e", nil)
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, test := range map[string]struct {
		err  error
		told bool
	}{
		"the namespace ends":    {terminating, false},
		"the namespace is gone": {apierrors.NewNotFound(corev1.Resource("namespaces"), "shop"), false},
		"not allowed":           {apierrors.NewForbidden(eventsv1.Resource("events"), "e", nil), true},
		"there already":         {apierrors.NewAlreadyExists(eventsv1.Resource("events"), "e"), true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := eventSink{answeringSink{err: test.err}}.Create(t.Context(), &eventsv1.Event{})
			if told := err != nil; told != test.told {
				t.Errorf("got %v, want an error: %t", err, test.told)
			}
		})
	}
}
