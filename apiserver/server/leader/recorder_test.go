// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
)

func TestEventsAreTheLeadersToTell(t *testing.T) {
	to := events.NewFakeRecorder(2 * maxWaiting)
	now := time.Now()
	r := &recorder{to: to, now: func() time.Time { return now }}
	say := func(what string) {
		r.Eventf(&corev1.Pod{}, nil, corev1.EventTypeWarning, "Reason", "Action", "%s 100%%", what)
	}
	told := func() string {
		var notes []string
		for len(to.Events) > 0 {
			notes = append(notes, strings.TrimPrefix(<-to.Events, "Warning Reason "))
		}
		return strings.Join(notes, ", ")
	}
	want := func(what string) {
		t.Helper()
		if got := told(); got != what {
			t.Errorf("told %q, want %q", got, what)
		}
	}

	say("long ago")
	now = now.Add(maxWait + time.Second)
	say("before")
	want("")
	r.begin()
	want("before 100%")
	say("during")
	want("during 100%")
	r.end()
	say("after")
	want("")
	r.begin()
	want("after 100%")
	r.end()

	for i := range maxWaiting + 10 {
		say(fmt.Sprint(i))
	}
	r.begin()
	if got := told(); strings.Count(got, ",")+1 != maxWaiting || !strings.HasPrefix(got, "10 100%,") {
		t.Errorf("%d were told, beginning with %.20s", strings.Count(got, ",")+1, got)
	}
}
