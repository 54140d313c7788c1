// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
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
// Event of one reason at most so often. A view may have as many as Envoy tells
// ports apart.
const (
	maxMishapsOfView = 2048
	maxMishaps       = 1 << 15
	mishapDelay      = time.Second
	mishapSilence    = time.Hour
)

// mishaps gathers what proxies report until the loop looks at it, and remembers
// what has been told.
type mishaps struct {
	mu sync.Mutex
	// waiting are how many of each mishap the proxies of each view report.
	waiting map[string]map[model.Mishap]int64
	// different is how many are waiting.
	different int

	// The loop's own.
	told map[toldMishap]time.Time

	now   func() time.Time
	after func(time.Duration, func())
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
		waiting: map[string]map[model.Mishap]int64{}, told: map[toldMishap]time.Time{},
		now: time.Now, after: func(d time.Duration, f func()) { time.AfterFunc(d, f) },
	}
}

// add takes in a report, and tells whether it is the first that the loop has to
// be woken for.
func (m *mishaps) add(view string, mishap model.Mishap, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.waiting[view][mishap]; known {
		m.waiting[view][mishap] += n
		return false
	}
	if m.different >= maxMishaps || len(m.waiting[view]) >= maxMishapsOfView {
		return false
	}
	if m.waiting[view] == nil {
		m.waiting[view] = map[model.Mishap]int64{}
	}
	m.waiting[view][mishap] = n
	m.different++
	return m.different == 1
}

func (m *mishaps) take() map[string]map[model.Mishap]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	waiting := m.waiting
	m.waiting, m.different = map[string]map[model.Mishap]int64{}, 0
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

// forget drops what is remembered of ports that are gone.
func (m *mishaps) forget(w world.Reader) {
	for about := range m.told {
		if service := w.Service(about.service); service == nil || service.UID != about.uid || !hasPort(service, about.port) {
			delete(m.told, about)
			serviceMishaps.Delete(mishapLabels(about))
		}
	}
}

func hasPort(service *corev1.Service, number int32) bool {
	return slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == number })
}

// Mishap says that proxies of a view have counted n connections that they did not
// carry. It is the Mishap of telemetry's options.
func (c *Controller) Mishap(view string, m model.Mishap, n int64) {
	if c.mishaps.add(view, m, n) {
		c.mishaps.after(mishapDelay, func() { c.inbox.put(c.tellMishaps) })
	}
}

// tellMishaps counts what proxies have reported, and tells the author of each
// Service by an Event.
func (c *Controller) tellMishaps(s *state) {
	w := s.World.Reader()
	c.mishaps.forget(w)
	for view, ofView := range c.mishaps.take() {
		reporter, ok := compile.NewReporter(w, view)
		if !ok {
			continue
		}
		for m, n := range ofView {
			for _, notice := range reporter.Notices(m) {
				c.tellMishap(w.Service(notice.Service), notice, n)
			}
		}
	}
}

func (c *Controller) tellMishap(service *corev1.Service, notice compile.PortNotice, n int64) {
	about := toldMishap{notice.Service, service.UID, notice.Port, notice.Reason}
	serviceMishaps.With(mishapLabels(about)).Add(float64(n))
	if due := c.mishaps.due(about); c.events == nil || !due {
		return
	}
	regarding := &corev1.ObjectReference{
		APIVersion: "v1", Kind: world.KindService, Namespace: service.Namespace, Name: service.Name, UID: service.UID,
	}
	// The action tells ports apart: Events that differ in their note alone are taken
	// for repetitions.
	c.events.Eventf(regarding, nil, corev1.EventTypeWarning, notice.Reason, "CarryPort"+strconv.Itoa(int(notice.Port)), "%s", cutNote(notice.Message))
}

func mishapLabels(about toldMishap) map[string]string {
	return map[string]string{
		"namespace": about.service.Namespace, "service": about.service.Name, "port": strconv.Itoa(int(about.port)), "reason": about.reason,
	}
}
