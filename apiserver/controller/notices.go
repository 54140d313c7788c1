// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
)

// maxNote is how many bytes of a note the API takes (events.k8s.io/v1).
const maxNote = 1024

// record shows notices as Events.
func (c *Controller) record(news []engine.Notice) {
	for i := range news {
		n := &news[i]
		noticesTotal.WithLabelValues(n.Reason).Inc()
		if c.events != nil {
			c.events.Eventf(&n.About, nil, corev1.EventTypeWarning, n.Reason, n.Action, "%s", cutNote(n.Message))
		}
	}
}

func cutNote(note string) string {
	if len(note) < maxNote {
		return note
	}
	return strings.ToValidUTF8(note[:maxNote-4], "") + "..."
}

// noEvents shows nothing.
type noEvents struct{}

func (noEvents) Eventf(_, _ runtime.Object, _, _, _, _ string, _ ...any) {}
