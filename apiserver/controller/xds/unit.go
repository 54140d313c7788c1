// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"cmp"
	"slices"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/ack"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// What is said of units, in the words of package ack.
type (
	// State is how far proxies are with units.
	State = ack.State
	// Wait is a proxy that has not ACKed something.
	Wait = ack.Wait
	// Nack is a refusal.
	Nack = ack.Nack
)

// Units tells how far proxies are with the resources that came of some units: each
// proxy counts once, and has ACKed them if it has ACKed all. When the answer may be
// another Options.Notify is called with one of the units, once; who wants to be told
// again asks again. The cost follows the proxies that have to ACK them.
func (s *Server) Units(ids ...unit.ID) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	look := look{server: s, views: map[string]struct{}{}}
	for _, id := range ids {
		if p := s.store.products[id]; p != nil {
			look.add(p)
		}
	}
	return look.state()
}

// look is how far proxies are, as it is found out.
type look struct {
	server *Server
	// connected and lacking are streams by number: those that have to ACK something,
	// and those of them that have not ACKed all of it.
	connected, lacking numbers
	// views are those in which every proxy has to ACK something.
	views map[string]struct{}
	found State
}

// add looks at a product.
func (l *look) add(p *product) {
	l.server.ask(p)
	s := l.server.store
	var concerned numbers
	for _, name := range p.views() {
		l.views[name] = struct{}{}
		if v, ok := s.views[name]; ok {
			v.asked.add(p.number)
			for st := range v.streams {
				concerned.add(st.id)
			}
		}
	}
	for _, at := range p.places {
		for id := range at.topic.subscribers.all() {
			concerned.add(id)
		}
	}
	for id := range concerned.all() {
		l.account(s.streams.items[id], p)
	}
}

// account adds how far a proxy is with a product, and notes what to look at when
// it answers.
func (l *look) account(st *stream, p *product) {
	var first *topic
	var since time.Time
	for t, r := range st.due(p) {
		l.connected.add(st.id)
		if st.hasAcked(t, r) {
			continue
		}
		if first == nil {
			first, since = t, r.since
		}
		if r.since.Before(since) {
			since = r.since
		}
		if message, refused := st.refusal(t); refused {
			l.found.Nacks = append(l.found.Nacks, Nack{
				Proxy: st.peer.ID, TypeURL: t.kind.typeURL(), Name: t.name, View: r.source.View, Message: message,
			})
		}
	}
	if first == nil {
		return
	}
	l.lacking.add(st.id)
	st.holdsUp[first.kind].add(p.number)
	if since.Before(st.since) {
		since = st.since
	}
	wait(&l.found, Wait{Proxy: st.peer.ID, Since: since})
}

// state sums up.
func (l *look) state() State {
	l.found.Connected = l.connected.n
	l.found.Acked = l.connected.n - l.lacking.n
	l.found.Known = l.connected.n + l.disconnected()
	slices.SortFunc(l.found.Nacks, func(a, b Nack) int {
		return cmp.Or(cmp.Compare(a.Proxy.String(), b.Proxy.String()), cmp.Compare(a.TypeURL, b.TypeURL), cmp.Compare(a.Name, b.Name))
	})
	return l.found
}

// disconnected counts the known proxies of the views that have no stream.
func (l *look) disconnected() int {
	s := l.server
	missing := 0
	for name := range l.views {
		missing += s.known[name]
		if v, ok := s.store.views[name]; ok {
			missing -= len(v.streams)
		}
	}
	if missing <= 0 || len(l.views) == 1 {
		return max(missing, 0)
	}
	// One that is in several of them counts once.
	n := 0
	for id, proxy := range s.proxies {
		st := s.streams[id]
		in := func(view string) bool { _, ok := l.views[view]; return ok }
		if (st == nil || !st.isAdmitted()) && slices.ContainsFunc(proxy.Views, in) {
			n++
		}
	}
	return n
}

// refusal gives what the proxy said against the current version of a topic.
func (st *stream) refusal(t *topic) (string, bool) {
	s := st.subscriptions[t.kind]
	if s == nil {
		return "", false
	}
	message, refused := s.rejected[t]
	return message, refused
}

// wait keeps a proxy if it is among those that are waited for longest.
func wait(state *State, w Wait) {
	if known := slices.IndexFunc(state.Waiting, func(other Wait) bool { return other.Proxy == w.Proxy }); known >= 0 {
		if !w.Since.Before(state.Waiting[known].Since) {
			return
		}
		state.Waiting = slices.Delete(state.Waiting, known, known+1)
	}
	at, _ := slices.BinarySearchFunc(state.Waiting, w, func(a, b Wait) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Proxy.String(), b.Proxy.String()))
	})
	if at < ack.MaxWaiting {
		state.Waiting = slices.Insert(state.Waiting, at, w)
		state.Waiting = state.Waiting[:min(len(state.Waiting), ack.MaxWaiting)]
	}
}
