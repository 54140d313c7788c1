// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Update is a change of the picture. No stream sees a part of it. The endpoints
// of a cluster must carry the cluster's own name, which is also Envoy's default
// (no eds_cluster_config.service_name): they are sent anew when it changes.
type Update struct {
	// Set are resources that came or changed. One with the version that is
	// there already changes nothing.
	Set []envoy.Resource
	// Remove are resources that went. Unknown ones are ignored.
	Remove []envoy.Key
	// Proxies are those that came or changed.
	Proxies []model.Proxy
	// GoneProxies are those whose pod went; their streams end.
	GoneProxies []model.ProxyID
}

// Apply makes an update current and wakes exactly the streams that want
// something of it. It does not wait for them. A resource of a type that is not
// served is an error of the program: it is logged, and left out.
func (s *Server) Apply(u Update) {
	woken, views := s.apply(u)
	for _, st := range woken {
		st.poke()
	}
	for _, view := range views {
		s.notify(view)
	}
}

// apply returns the streams that have something to send now, which are to be
// woken once the lock that each of them takes first is free, and the views whose
// state the update itself changed.
func (s *Server) apply(u Update) ([]*stream, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, err := s.store.apply(u.Set, u.Remove)
	if err != nil {
		s.log.Error(err, "Some resources of an update cannot be served")
	}
	var woken []*stream
	for _, c := range changes {
		woken = append(woken, s.markWanting(c)...)
	}
	for _, c := range changes {
		s.store.release(c.topic)
		s.store.releaseView(c.view)
	}
	var views []string
	for _, p := range u.Proxies {
		views = append(views, s.know(p)...)
	}
	for _, id := range u.GoneProxies {
		views = append(views, s.unknow(id)...)
	}
	slices.Sort(views)
	return woken, slices.Compact(views)
}

// markWanting puts a change in the slot of the streams that want it and may see
// it. It returns those whose slot was empty.
func (s *Server) markWanting(c change) []*stream {
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
