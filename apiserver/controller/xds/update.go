// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// Update is a change of the picture. No stream sees a part of it. Endpoints are sent
// anew when a cluster changes that has them: the one of their name, or those whose
// EndpointSet they are.
type Update struct {
	// Set are resources that came or changed. One with the version that is
	// there already changes nothing.
	Set []envoy.Resource
	// Remove are resources that went. Unknown ones are ignored.
	Remove []envoy.Key
	// Units are, of each unit of whose resources there are others than before, the keys
	// of all that it gives now; none if it is gone. They are what Units tells of.
	Units map[unit.ID][]envoy.Key
	// Proxies are those that came or changed.
	Proxies []model.Proxy
	// GoneProxies are those whose pod went; their streams end.
	GoneProxies []model.ProxyID
}

// Apply makes an update current and wakes exactly the streams that want
// something of it. It does not wait for them. A resource of a type that is not
// served is an error of the program: it is logged, and left out.
func (s *Server) Apply(u Update) {
	for _, st := range s.apply(u) {
		st.poke()
	}
}

// apply returns the streams that have something to send now, which are to be
// woken once the lock that each of them takes first is free.
func (s *Server) apply(u Update) []*stream {
	s.mu.Lock()
	defer s.unlock()
	changes, err := s.store.apply(u.Set, u.Remove)
	if err != nil {
		s.log.Error(err, "Some resources of an update cannot be served")
	}
	for id := range u.Units {
		if p := s.store.products[id]; p != nil && p.asked {
			s.changed(p)
		} else {
			s.news = append(s.news, id) // somebody may have asked before there was anything
		}
	}
	s.store.assign(u.Units)
	var woken []*stream
	for _, c := range changes {
		woken = append(woken, s.markWanting(c)...)
		s.changedPlace(c)
	}
	for _, c := range changes {
		s.store.release(c.topic)
		s.store.releaseView(c.view)
	}
	for _, p := range u.Proxies {
		s.know(p)
	}
	for _, id := range u.GoneProxies {
		s.unknow(id)
	}
	return woken
}

// markWanting puts a change in the slot of the streams that want it and may see
// it. It returns those whose slot was empty.
func (s *Server) markWanting(c place) []*stream {
	var woken []*stream
	for id := range c.topic.subscribers.all() {
		if st := s.store.streams.items[id]; st.isOf(c.view) && st.markChanged(c.topic) {
			woken = append(woken, st)
		}
	}
	for st := range s.store.view(c.view).wildcards[c.topic.kind] {
		if st.markChanged(c.topic) {
			woken = append(woken, st)
		}
	}
	return woken
}
