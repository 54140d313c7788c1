// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

// Who asks about a unit is told once when the answer may be another. Until then the
// unit stands in two places: in the views that have its listeners and clusters, for
// who comes and goes there, and in each stream that holds it up, at the first thing
// that this has left to ACK. So an ACK costs a look at what waits for just that kind
// of this one stream, and nothing where nobody has asked.

// ask notes that a product is asked about.
func (s *Server) ask(p *product) {
	if !p.asked {
		p.asked = true
		s.asked++
	}
}

// changed tells of a product that was asked about.
func (s *Server) changed(p *product) {
	if p != nil && p.asked {
		p.asked = false
		s.asked--
		s.news = append(s.news, p.unit)
	}
}

// changedViews tells of the products that depend on who is in some views.
func (s *Server) changedViews(names []string) {
	for _, name := range names {
		v, ok := s.store.views[name]
		if !ok || v.asked.n == 0 {
			continue
		}
		for number := range v.asked.all() {
			s.changed(s.store.numbered.items[number])
		}
		v.asked.clear()
	}
}

// changedPlace tells of the products that have what is in a place, or what its proxies
// see of the topic in other views.
func (s *Server) changedPlace(c place) {
	if s.asked == 0 {
		return
	}
	others := c.topic.variants()
	if r := c.topic.variant(c.view); r != nil {
		s.changed(r.product)
		others--
	}
	v, ok := s.store.views[c.view]
	if !ok || others == 0 {
		return
	}
	for st := range v.streams {
		s.changedIn(c.topic, st.names)
	}
}

// changedIn tells of the products that have a topic's resources in some views.
func (s *Server) changedIn(t *topic, views []string) {
	for _, view := range views {
		if r := t.variant(view); r != nil {
			s.changed(r.product)
		}
	}
}

// changedTopic tells of the product that has what the stream sees of a topic.
func (st *stream) changedTopic(t *topic) {
	if st.server.asked == 0 {
		return
	}
	if r := st.visible(t); r != nil {
		st.server.changed(r.product)
	}
}

// reckon tells of the products that the stream holds up no longer, now that it has
// answered, or asked for, something of a kind.
func (st *stream) reckon(k kind) {
	if st.holdsUp[k].n == 0 {
		return
	}
	for number := range st.holdsUp[k].all() {
		st.holdsUp[k].remove(number)
		p := st.server.store.numbered.items[number]
		if p == nil || !p.asked {
			continue
		}
		if t := st.lacking(p); t != nil {
			st.holdsUp[t.kind].add(number)
			continue
		}
		st.server.changed(p)
	}
}

// unlock frees the lock, and tells what has changed under it.
func (s *Server) unlock() {
	news := s.news
	s.news = nil
	s.mu.Unlock()
	if s.options.Notify == nil {
		return
	}
	for _, id := range news {
		s.options.Notify(id)
	}
}
