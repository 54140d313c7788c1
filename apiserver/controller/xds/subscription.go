// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

// subscription is what one stream wants of one type, and what it has. The
// Server's lock guards it. Its size follows what the stream wants, never how
// often that changes.
type subscription struct {
	kind kind
	// wildcard: everything visible is wanted.
	wildcard bool
	// explicit are names asked for beside the wildcard. Without a wildcard it
	// is not used: every known topic is then one that was asked for.
	explicit map[*topic]struct{}
	// known is what the proxy has, or has been told.
	known holdings
	// dirty is the stream's slot: what may have to be sent. The latest version
	// wins, for versions are looked up when the send begins.
	dirty numbers
	// alone are topics to be sent again, each in a response of its own.
	alone map[*topic]struct{}
	// rejected holds Envoy's words about topics whose current version it refused.
	rejected map[*topic]string
	// answered is the newest nonce of this type that the proxy has ACKed or NACKed.
	answered nonce
	// counts are what has gone over the stream.
	counts Counts
	// absent are topics that nothing had when they were asked for.
	absent map[*topic]struct{}
	// forgotten are names that nothing has, to be called missing and not held.
	forgotten []string
	// wildcards is how often everything was asked for.
	wildcards int
	// owed: the proxy waits for a first answer, be it empty.
	owed bool
}

// knowledge is which version of a resource the proxy was sent, and in which response.
type knowledge struct {
	serial serial
	nonce  nonce
}

// nonce numbers the responses of a stream. 0 stands for none.
type nonce uint32

// wants tells whether the stream wants this topic.
func (s *subscription) wants(t *topic) bool {
	if s.wildcard {
		return true
	}
	_, ok := s.known.get(t)
	return ok
}

// hasAcked tells whether the proxy has ACKed this version of a topic.
func (s *subscription) hasAcked(t *topic, r *resource) bool {
	have, _ := s.known.get(t)
	_, refused := s.rejected[t]
	return !refused && have.serial == r.serial && have.nonce <= s.answered
}

// mark puts a topic in the slot.
func (s *subscription) mark(t *topic) { s.dirty.add(t.id) }

// marked are the topics in the slot, sorted by name. One that has gone meanwhile
// is not among them; what has its number now is looked at in vain.
func (s *subscription) marked() []*topic { return s.known.index.byName(&s.dirty) }

// remember records what the proxy has of a topic.
func (s *subscription) remember(t *topic, k knowledge) {
	if _, ok := s.known.get(t); !ok {
		t.holders++
	}
	s.known.set(t, k)
}

// forget drops all that is held about a topic.
func (st *stream) forget(s *subscription, t *topic) {
	if _, ok := s.known.get(t); !ok {
		return
	}
	s.known.remove(t)
	s.dirty.remove(t.id)
	delete(s.alone, t)
	delete(s.rejected, t)
	delete(s.absent, t)
	delete(s.explicit, t)
	t.subscribers.remove(st.id)
	t.holders--
	st.server.store.release(t)
}

// subscribe returns the stream's subscription of a kind, and whether it is new.
func (st *stream) subscribe(k kind) (*subscription, bool) {
	if s := st.subscriptions[k]; s != nil {
		return s, false
	}
	s := &subscription{
		kind:     k,
		known:    holdings{index: &st.server.store.indexes[k]},
		alone:    map[*topic]struct{}{},
		rejected: map[*topic]string{},
		absent:   map[*topic]struct{}{},
	}
	st.subscriptions[k] = s
	return s, true
}

// addName subscribes to one name. The proxy is sent the resource even if it
// seems to have it, for it may have forgotten it ("Subscribing to Resources");
// unless it says, by have, which version it has.
func (st *stream) addName(s *subscription, name, have string) {
	if st.forgets(s, name) {
		return
	}
	t := st.server.store.topic(s.kind, name)
	if s.wildcard {
		if s.explicit == nil {
			s.explicit = map[*topic]struct{}{}
		}
		s.explicit[t] = struct{}{}
	}
	t.subscribers.add(st.id)
	s.remember(t, knowledge{serial: st.serialOf(t, have)})
	s.mark(t)
	st.changedTopic(t)
}

// forgets tells whether a name is one more that nothing has than is held. It is
// then called missing, no more.
func (st *stream) forgets(s *subscription, name string) bool {
	if st.server.store.topics[s.kind][name] != nil {
		return false
	}
	if len(s.absent) >= maxAbsent {
		s.forgotten = append(s.forgotten, name)
		return true
	}
	s.absent[st.server.store.topic(s.kind, name)] = struct{}{}
	return false
}

// removeName unsubscribes from one name. Under a wildcard the proxy cannot
// know whether the name is still part of it, and has to be told ("Unsubscribing
// from Resources").
func (st *stream) removeName(s *subscription, name string) {
	t, ok := st.server.store.topics[s.kind][name]
	if !ok {
		return
	}
	st.changedTopic(t)
	if !s.wildcard {
		st.forget(s, t)
		return
	}
	if _, ok := s.explicit[t]; ok {
		delete(s.explicit, t)
		t.subscribers.remove(st.id)
		s.remember(t, knowledge{serial: stale})
		s.mark(t)
	}
}

// addWildcard subscribes to all that is visible. have are the versions that
// the proxy says it has; those no longer visible are removed.
func (st *stream) addWildcard(s *subscription, have map[string]string) {
	if s.wildcard {
		for t, k := range s.known.all() {
			k.serial = stale
			s.known.set(t, k)
		}
	} else if s.known.n > 0 {
		s.explicit = map[*topic]struct{}{}
		for t := range s.known.all() {
			s.explicit[t] = struct{}{}
		}
	}
	s.wildcard = true
	s.owed = len(have) == 0
	for name, version := range have {
		if st.forgets(s, name) {
			continue
		}
		t := st.server.store.topic(s.kind, name)
		s.remember(t, knowledge{serial: st.serialOf(t, version)})
		s.mark(t)
	}
	for _, view := range st.views() {
		view.wildcards[s.kind][st] = struct{}{}
		for t := range view.topics[s.kind] {
			s.mark(t)
		}
	}
}

// removeWildcard goes back to the names that were asked for.
func (st *stream) removeWildcard(s *subscription) {
	if !s.wildcard {
		return
	}
	for _, view := range st.views() {
		delete(view.wildcards[s.kind], st)
	}
	for t := range s.known.all() {
		if _, ok := s.explicit[t]; !ok {
			st.forget(s, t)
		}
	}
	s.dirty.clear()
	for t := range s.explicit {
		s.mark(t)
	}
	s.wildcard, s.explicit, s.owed = false, nil, false
}

// serialOf turns a version that a proxy says it has into a serial.
func (st *stream) serialOf(t *topic, version string) serial {
	if version == "" {
		return unknown
	}
	if r := st.visible(t); r != nil && r.version == version {
		return r.serial
	}
	return stale
}
