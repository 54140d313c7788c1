// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Bounds on what proxies, whose pods may send anything, can make the loop do and
// users read: so many different mishaps are kept, of one view and of all, until
// the loop looks, which is so long after the first; and a Service's port has an
// Event of one reason at most so often.
const (
	maxMishapsOfView = 256
	maxMishaps       = 4096
	mishapDelay      = time.Second
	mishapSilence    = time.Hour
)

// mishaps gathers what proxies report until the loop looks at it, and remembers
// what has been told.
type mishaps struct {
	mu      sync.Mutex
	waiting map[reported]int64
	// ofView counts the keys of waiting.
	ofView map[string]int

	// The loop's own.
	told map[toldMishap]time.Time

	now   func() time.Time
	after func(time.Duration, func())
}

// reported is a mishap as the proxies of a view tell it.
type reported struct {
	view string
	model.Mishap
}

// toldMishap is what an Event was about.
type toldMishap struct {
	service world.Key
	uid     types.UID
	port    int32
	reason  string
}

func newMishaps() *mishaps {
	return &mishaps{
		waiting: map[reported]int64{}, ofView: map[string]int{}, told: map[toldMishap]time.Time{},
		now: time.Now, after: func(d time.Duration, f func()) { time.AfterFunc(d, f) },
	}
}

// add takes in a report, and tells whether the loop has to be woken for it.
func (m *mishaps) add(r reported, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.waiting[r]
	if !known {
		if len(m.waiting) >= maxMishaps || m.ofView[r.view] >= maxMishapsOfView {
			return false
		}
		m.ofView[r.view]++
	}
	m.waiting[r] += n
	return !known && len(m.waiting) == 1
}

func (m *mishaps) take() map[reported]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	waiting := m.waiting
	m.waiting, m.ofView = map[reported]int64{}, map[string]int{}
	return waiting
}

// due tells whether an Event may be made, and remembers that it is.
func (m *mishaps) due(about toldMishap) bool {
	now := m.now()
	if at, ok := m.told[about]; ok && now.Sub(at) < mishapSilence {
		return false
	}
	m.told[about] = now
	return true
}

// forget drops what is remembered of Services that are gone.
func (m *mishaps) forget(w *world.World) {
	for about := range m.told {
		if service := w.Service(about.service); service == nil || service.UID != about.uid {
			delete(m.told, about)
			serviceMishaps.Delete(mishapLabels(about))
		}
	}
}

// Mishap says that proxies of a view have counted n connections that they did not
// carry. It is the Mishap of telemetry's options.
func (c *Controller) Mishap(view string, m model.Mishap, n int64) {
	if c.mishaps.add(reported{view, m}, n) {
		c.mishaps.after(mishapDelay, func() { c.inbox.put(c.tellMishaps) })
	}
}

// tellMishaps counts what proxies have reported, and tells the author of each
// Service by an Event.
func (c *Controller) tellMishaps(e *engine) {
	c.mishaps.forget(e.world)
	for r, n := range c.mishaps.take() {
		for _, notice := range compile.Mishaps(e.world, r.view, r.Mishap) {
			service := e.world.Service(notice.Service)
			about := toldMishap{notice.Service, service.UID, notice.Port, notice.Reason}
			serviceMishaps.With(mishapLabels(about)).Add(float64(n))
			if due := c.mishaps.due(about); c.events == nil || !due {
				continue
			}
			regarding := &corev1.ObjectReference{
				APIVersion: "v1", Kind: world.KindService, Namespace: service.Namespace, Name: service.Name, UID: service.UID,
			}
			// The action tells ports apart: Events that differ in their note alone are
			// taken for repetitions.
			c.events.Eventf(regarding, nil, corev1.EventTypeWarning, notice.Reason, "CarryPort"+strconv.Itoa(int(notice.Port)), "%s", cutNote(notice.Message))
		}
	}
}

func mishapLabels(about toldMishap) map[string]string {
	return map[string]string{
		"namespace": about.service.Namespace, "service": about.service.Name, "port": strconv.Itoa(int(about.port)), "reason": about.reason,
	}
}
