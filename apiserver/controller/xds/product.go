// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"cmp"
	"iter"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// product is what a unit gave: the places of its resources.
type product struct {
	unit unit.ID
	// number is its number among all products.
	number uint32
	// places are sorted, those of listeners first.
	places []place
	// asked is true while a change of what Units answers is to be told.
	asked bool
}

// assign makes resources parts of what units gave. A unit without resources is
// forgotten.
func (s *store) assign(units map[unit.ID][]envoy.Key) {
	for id, keys := range units {
		p := s.products[id]
		if p == nil {
			if len(keys) == 0 {
				continue
			}
			p = &product{unit: id}
			p.number = s.numbered.add(p)
			s.products[id] = p
		}
		old := p.places
		for _, at := range old {
			if r := at.topic.variant(at.view); r != nil && r.product == p {
				r.product = nil
			}
		}
		p.places = s.places(keys)
		for _, at := range p.places {
			at.topic.holders++
			if r := at.topic.variant(at.view); r != nil {
				r.product = p
			}
		}
		for _, at := range old {
			at.topic.holders--
			s.release(at.topic)
		}
		if len(keys) == 0 {
			delete(s.products, id)
			s.numbered.remove(p.number)
		}
	}
}

// places finds those of keys, listeners first. Types that are not served have none.
func (s *store) places(keys []envoy.Key) []place {
	places := make([]place, 0, len(keys))
	for _, key := range keys {
		if k, ok := kindOf(key.TypeURL); ok {
			places = append(places, place{s.topic(k, key.Name), key.View})
		}
	}
	rank := func(k kind) int {
		if k == listeners {
			return -1
		}
		return int(k)
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(rank(a.topic.kind), rank(b.topic.kind)), compareNames(a.topic, b.topic), cmp.Compare(a.view, b.view))
	})
	return places
}

// views are those in which every proxy is due some of a product: those of its
// listeners and clusters.
func (p *product) views() []string {
	var views []string
	for _, at := range p.places {
		if at.topic.kind.takesWildcard() && !slices.Contains(views, at.view) {
			views = append(views, at.view)
		}
	}
	return views
}

// due are the resources of a product that the proxy has to ACK: what it sees of the
// listeners and clusters, which proxies ask for as a whole, and what it has
// subscribed to of the rest; all of the rest where a listener is part of the
// product, for that names it. So a proxy that has ACKed a listener and not yet asked
// for what this names has something left to ACK.
func (st *stream) due(p *product) iter.Seq2[*topic, *resource] {
	return func(yield func(*topic, *resource) bool) {
		named := false
		for _, at := range p.places {
			r := at.topic.variant(at.view)
			if r == nil || r.product != p || st.visible(at.topic) != r {
				continue
			}
			s := st.subscriptions[at.topic.kind]
			switch {
			case s != nil && s.wants(at.topic):
			case s == nil && at.topic.kind.takesWildcard():
			case named && !at.topic.kind.takesWildcard():
			default:
				continue
			}
			named = named || at.topic.kind == listeners
			if !yield(at.topic, r) {
				return
			}
		}
	}
}

// hasAcked tells whether the proxy has ACKed a version of a topic.
func (st *stream) hasAcked(t *topic, r *resource) bool {
	s := st.subscriptions[t.kind]
	return s != nil && s.hasAcked(t, r)
}

// lacking is the first resource of a product that the proxy has to ACK and has not,
// nil if it has ACKed all.
func (st *stream) lacking(p *product) *topic {
	for t, r := range st.due(p) {
		if !st.hasAcked(t, r) {
			return t
		}
	}
	return nil
}
