// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/mem"
)

// warmUp is how long routes, filters and listeners wait for the ACK of new
// clusters. Envoy withholds that ACK until the clusters have warmed up, so
// that a server can tell (ClusterManagerImpl::updateClusterCounts). It is a
// bound, so that one cluster that never warms up holds back no rule for long.
const warmUp = time.Second

// warming is the response that brought clusters the proxy did not have.
type warming struct {
	nonce nonce
	until time.Time
}

// collect empties the stream's slot into responses, in the order in which they
// must be sent. It returns since when the oldest change has waited, and, if
// something is held back until clusters are warm, for how long at most.
func (s *Server) collect(st *stream) ([]*response, time.Time, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var out []*response
	for k := range kinds {
		if sub := st.subscriptions[k]; sub != nil && !(k.waitsForClusters() && st.cold(now)) {
			out = append(out, sub.counted(st.additions(sub, now))...)
		}
	}
	if st.cold(now) {
		return out, st.unmark(), st.warming.until.Sub(now)
	}
	for _, k := range removalOrder {
		if sub := st.subscriptions[k]; sub != nil {
			out = append(out, sub.counted(st.removals(sub))...)
		}
	}
	return out, st.unmark(), 0
}

// cold tells whether the proxy is still warming up new clusters.
func (st *stream) cold(now time.Time) bool {
	return st.warming.nonce != 0 && now.Before(st.warming.until)
}

// unmark notes that the slot has been looked at.
func (st *stream) unmark() time.Time {
	marked := st.marked
	if !marked.IsZero() {
		st.marked = time.Time{}
		sendQueue.Dec()
	}
	return marked
}

// additions takes from the slot what is new or changed, and the names that
// were asked for and do not exist, in one response; and each resource that was
// part of a refused response in one of its own.
func (st *stream) additions(s *subscription, now time.Time) []*response {
	marked := s.marked()
	set := make([]*topic, 0, len(marked))
	var absent []*topic
	s.dirty.clear()
	for _, t := range marked {
		k, known := s.known.get(t)
		r := st.visible(t)
		switch {
		case !s.wants(t):
		case r != nil && r.serial != k.serial:
			set = append(set, t)
			delete(s.alone, t)
		case r != nil:
		case known && k.serial == unknown:
			absent = append(absent, t)
		case known && k.serial != missing:
			s.mark(t) // stays for removals
		}
	}
	var out []*response
	if len(set)+len(absent)+len(s.forgotten) > 0 || s.owed {
		out = append(out, st.respond(s, set, absent, now))
	}
	s.owed = false
	if len(s.alone) > 0 {
		out = append(out, st.onePerResponse(s, now)...)
	}
	return out
}

// onePerResponse makes a response for each resource that is to be sent alone.
func (st *stream) onePerResponse(s *subscription, now time.Time) []*response {
	var out []*response
	for _, t := range slices.SortedFunc(maps.Keys(s.alone), compareNames) {
		if st.visible(t) != nil && s.wants(t) {
			out = append(out, st.respond(s, []*topic{t}, nil, now))
		}
	}
	clear(s.alone)
	return out
}

// removals takes from the slot what the proxy has and may no longer see. It
// runs when nothing else is left in the slot.
func (st *stream) removals(s *subscription) []*response {
	gone := s.marked()
	s.dirty.clear()
	if len(gone) == 0 {
		return nil
	}
	r := st.newResponse(s)
	for _, t := range gone {
		r.removed = append(r.removed, t.name)
		st.tellMissing(s, t, r.nonce)
	}
	return []*response{r}
}

// respond makes one response of these resources and missing names.
func (st *stream) respond(s *subscription, set, absent []*topic, now time.Time) *response {
	r := st.newResponse(s)
	r.frames = make(mem.BufferSlice, 0, len(set))
	for _, t := range set {
		resource := st.visible(t)
		if have, _ := s.known.get(t); s.kind == clusters && have.serial < firstSerial {
			st.warming = warming{nonce: r.nonce, until: now.Add(st.server.warmUp)}
		}
		r.frames = append(r.frames, resource.frame)
		s.remember(t, knowledge{serial: resource.serial, nonce: r.nonce})
	}
	for _, t := range absent {
		r.removed = append(r.removed, t.name)
		st.tellMissing(s, t, r.nonce)
	}
	r.removed = append(r.removed, s.forgotten...)
	s.forgotten = nil
	return r
}

func (st *stream) newResponse(s *subscription) *response {
	st.lastNonce++
	return &response{kind: s.kind, nonce: st.lastNonce}
}

// tellMissing records that the proxy is told that a name does not exist. A
// name that was asked for stays known, since it may come to exist.
func (st *stream) tellMissing(s *subscription, t *topic, n nonce) {
	delete(s.rejected, t)
	_, explicit := s.explicit[t]
	if s.wildcard && !explicit {
		st.forget(s, t)
		return
	}
	s.remember(t, knowledge{serial: missing, nonce: n})
}

func compareNames(a, b *topic) int { return strings.Compare(a.name, b.name) }
