// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"bytes"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
)

// Awaited is what proxies are to have acknowledged.
type Awaited struct {
	// TypeURL and Name of the resource, as in envoy.Key. With an empty name it is
	// every resource of the type that a proxy wants.
	TypeURL, Name string
	// Containing, if set, must be part of each such resource's encoding: what the
	// server still holds without it counts as not acknowledged. So whoever has
	// just changed something need not know when the change is compiled.
	Containing []byte
}

// Progress is how far the connected proxies are with something.
type Progress struct {
	// Connected are all open streams, those included that wait to be admitted.
	Connected int
	// Acked are those that have ACKed the current version of what is awaited,
	// and those that want nothing of it: they have ACKed clusters and listeners,
	// and asked for no such name.
	Acked int
}

// Done tells whether every connected proxy has acknowledged; true without any.
func (p Progress) Done() bool { return p.Acked == p.Connected }

// Progress tells how far every connected proxy is. It walks all streams.
func (s *Server) Progress(a Awaited) Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := Progress{Connected: len(s.streams)}
	k, ok := kindOf(a.TypeURL)
	if !ok {
		return p
	}
	for _, st := range s.streams {
		if st.isAdmitted() && st.has(k, a) {
			p.Acked++
		}
	}
	return p
}

// ChainProgress tells how far every connected proxy is with a chain, such as all
// that a Service gives: its clusters, endpoints, listeners and routes. A chain is
// ready for a proxy once it has ACKed the current version of each resource that
// there is; a proxy that may not see one of them, or has not asked for it yet,
// has not ACKed it. It walks all streams.
func (s *Server) ChainProgress(chain []envoy.Key) Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := Progress{Connected: len(s.streams)}
	for _, st := range s.streams {
		if st.isAdmitted() && st.hasChain(chain) {
			p.Acked++
		}
	}
	return p
}

func (st *stream) hasChain(chain []envoy.Key) bool {
	for _, key := range chain {
		k, ok := kindOf(key.TypeURL)
		if !ok || st.subscriptions[k] == nil {
			return false
		}
		t, ok := st.server.store.topics[k][key.Name]
		if !ok {
			return false
		}
		if r := st.visible(t); r == nil || !st.subscriptions[k].hasAcked(t, r) {
			return false
		}
	}
	return true
}

// has tells whether a stream has ACKed what is awaited, or wants nothing of it.
func (st *stream) has(k kind, a Awaited) bool {
	wanted := 0
	if s := st.subscriptions[k]; s != nil {
		for t := range s.known.all() {
			if a.Name != "" && t.name != a.Name {
				continue
			}
			r := st.visible(t)
			if r == nil || !bytes.Contains(r.source.Body.GetValue(), a.Containing) || !s.hasAcked(t, r) {
				return false
			}
			wanted++
		}
	}
	return wanted > 0 || st.isSettled(clusters) && st.isSettled(listeners)
}

// hasAcked tells whether the proxy has ACKed this version of a topic.
func (s *subscription) hasAcked(t *topic, r *resource) bool {
	have, _ := s.known.get(t)
	_, refused := s.rejected[t]
	return !refused && have.serial == r.serial && have.nonce <= s.answered
}

// isSettled tells whether the proxy has asked for a kind and answered all that
// came of it: it has asked then for everything that this refers to.
func (st *stream) isSettled(k kind) bool {
	s := st.subscriptions[k]
	if s == nil || s.dirty.n > 0 || s.owed {
		return false
	}
	for _, have := range s.known.all() {
		if have.nonce > s.answered {
			return false
		}
	}
	return true
}
