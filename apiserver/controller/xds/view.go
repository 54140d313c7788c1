// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"cmp"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// ViewState is how far the proxies of a view are.
type ViewState struct {
	// Known are the proxies that there are, connected or not.
	Known int
	// Connected are those with a stream.
	Connected int
	// Acked are those of them that have ACKed the current version of every
	// resource of the view (those with its name as Key.View): the whole chain of
	// listener, routes, filters and secrets. A proxy that has ACKed a listener and
	// not yet asked for what that names does not obey it yet, and is not counted.
	Acked int
	// Nacks are the refusals of resources of the view that still stand, sorted.
	Nacks []Nack
}

// Nack is a refusal: a proxy did not accept a version of a resource, and keeps
// what it had. It stands until the proxy ACKs that resource.
type Nack struct {
	Proxy         model.ProxyID
	TypeURL, Name string
	// View of the resource, as in envoy.Key.
	View string
	// Message is Envoy's, cut at 2048 bytes.
	Message string
}

// View tells how far the proxies of a view are. View "" is every proxy, for
// the resources that all share; it walks all of them.
func (s *Server) View(view string) ViewState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := ViewState{Known: s.known[view]}
	if view == "" {
		state.Known = len(s.proxies)
	}
	v, ok := s.store.views[view]
	if !ok {
		return state
	}
	for st := range v.streams {
		state.Connected++
		if st.hasAcked(v, view) {
			state.Acked++
		}
		state.Nacks = append(state.Nacks, st.nacks(view)...)
	}
	slices.SortFunc(state.Nacks, func(a, b Nack) int {
		return cmp.Or(cmp.Compare(a.Proxy.String(), b.Proxy.String()), cmp.Compare(a.TypeURL, b.TypeURL), cmp.Compare(a.Name, b.Name))
	})
	return state
}

// hasAcked tells whether the stream has ACKed the whole chain of a view.
func (st *stream) hasAcked(v *viewIndex, view string) bool {
	for k, s := range st.subscriptions {
		for t := range v.topics[k] {
			r := st.visible(t)
			if r == nil || r.source.View != view {
				continue // the proxy has another view's in its place
			}
			if s == nil || !s.hasAcked(t, r) {
				return false
			}
		}
	}
	return true
}

// nacks are the refusals of resources of a view.
func (st *stream) nacks(view string) []Nack {
	var out []Nack
	for k, s := range st.subscriptions {
		if s == nil {
			continue
		}
		for t, message := range s.rejected {
			if t.variant(view) != nil && st.visible(t) == t.variant(view) {
				out = append(out, Nack{Proxy: st.peer.ID, TypeURL: kind(k).typeURL(), Name: t.name, View: view, Message: message})
			}
		}
	}
	return out
}
