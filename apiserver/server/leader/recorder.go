// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// Bounds on the Events that wait while this replica does not lead: so many, and for so
// long. It is the time that client-go itself tries to write an Event for, and longer
// than a lease is without a holder.
const (
	maxWaiting = 1000
	maxWait    = 2 * time.Minute
)

// recorder hands Events on while this replica leads. Every replica finds the same
// things to say, and users are told once. What is said while no replica leads is told
// by the next leader, so Events wait a while before they are dropped.
type recorder struct {
	to  events.EventRecorder
	now func() time.Time

	mu      sync.Mutex
	leading bool
	waiting []waiting
}

type waiting struct {
	since time.Time
	tell  func()
}

// Recorder makes a recorder that tells what a leader is to tell. It is called once,
// before Run.
func (l *Leader) Recorder(to events.EventRecorder) events.EventRecorder {
	l.events = &recorder{to: to, now: time.Now}
	return l.events
}

// Eventf hands an Event on, or has it wait.
func (r *recorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	text := fmt.Sprintf(note, args...)
	tell := func() { r.to.Eventf(regarding, related, kind, reason, action, "%s", text) }
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leading {
		tell()
		return
	}
	r.prune()
	r.waiting = append(r.waiting, waiting{r.now(), tell})
}

// prune drops the Events that another leader has told by now, and the oldest where
// there is no room for one more.
func (r *recorder) prune() {
	first := max(0, len(r.waiting)-maxWaiting+1)
	for first < len(r.waiting) && r.now().Sub(r.waiting[first].since) > maxWait {
		first++
	}
	r.waiting = slices.Delete(r.waiting, 0, first)
}

func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leading = true
	for _, w := range r.waiting {
		if r.now().Sub(w.since) <= maxWait {
			w.tell()
		}
	}
	r.waiting = nil
}

func (r *recorder) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leading = false
}
