// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"context"
	"reflect"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// holdUnknown is how long a proxy whose pod is not known is held. Its pod has
// a certificate, so it exists; it is our informers that lag.
const holdUnknown = 15 * time.Second

// connect registers a stream. A proxy has one: an older one is dead, though
// its connection may not know yet, and is ended.
func (s *Server) connect(st *stream) error {
	s.mu.Lock()
	defer s.unlock()
	if s.stopping {
		return status.Error(codes.Unavailable, "the server is shutting down")
	}
	if old, ok := s.streams[st.peer.ID]; ok {
		old.end(status.Error(codes.Aborted, "replaced by a newer stream of the same proxy"))
		s.leave(old)
	}
	s.streams[st.peer.ID] = st
	st.id = s.store.streams.add(st)
	connected.Inc()
	s.streamMoved()
	s.tryAdmit(st)
	return nil
}

// disconnect drops all that the server holds of a stream.
func (s *Server) disconnect(st *stream) {
	s.mu.Lock()
	defer s.unlock()
	s.leave(st)
	if s.streams[st.peer.ID] == st {
		delete(s.streams, st.peer.ID)
	}
	connected.Dec()
	s.streamMoved()
}

// leave takes a stream out of the indexes.
func (s *Server) leave(st *stream) {
	if st.left {
		return
	}
	s.changedViews(st.names)
	for _, view := range st.views() {
		delete(view.streams, st)
		for k := range kinds {
			delete(view.wildcards[k], st)
		}
	}
	for k, sub := range st.subscriptions {
		if sub == nil {
			continue
		}
		for t := range sub.known.all() {
			st.changedTopic(t)
			st.forget(sub, t)
		}
		st.subscriptions[k] = nil
	}
	st.unmark()
	st.left = true
	s.store.streams.remove(st.id)
	for _, name := range st.names {
		s.store.releaseView(name)
	}
}

// know takes in a proxy that came or changed.
func (s *Server) know(p model.Proxy) {
	old, known := s.proxies[p.ID]
	if known && reflect.DeepEqual(old, p) {
		return
	}
	s.count(old.Views, -1)
	s.count(p.Views, 1)
	s.proxies[p.ID] = p
	st, ok := s.streams[p.ID]
	switch {
	case !ok:
	case !st.isAdmitted():
		s.tryAdmit(st)
	case p.ServiceAccount != st.peer.ServiceAccount:
		st.end(wrongAccount(st.peer, p))
	case !slices.Equal(p.Views, st.names):
		s.move(st, p)
	}
}

// unknow takes in that a proxy's pod has gone.
func (s *Server) unknow(id model.ProxyID) {
	old := s.proxies[id]
	delete(s.proxies, id)
	delete(s.nackLimits, id)
	if st, ok := s.streams[id]; ok {
		st.end(status.Errorf(codes.NotFound, "pod %s is gone", id))
	}
	s.count(old.Views, -1)
}

// count keeps how many proxies views have.
func (s *Server) count(views []string, by int) {
	for _, view := range views {
		s.known[view] += by
		if s.known[view] == 0 {
			delete(s.known, view)
		}
	}
	s.changedViews(views)
}

// tryAdmit admits a stream if the store is ready and the proxy is known.
func (s *Server) tryAdmit(st *stream) {
	p, ok := s.proxies[st.peer.ID]
	if !ok || !s.isReady() || st.isAdmitted() || st.left {
		return
	}
	if p.ServiceAccount != st.peer.ServiceAccount {
		refusals.WithLabelValues("account").Inc()
		st.end(wrongAccount(st.peer, p))
		return
	}
	st.enter(p.Views)
	s.changedViews(st.names)
	close(st.admitted)
}

func wrongAccount(peer Peer, p model.Proxy) error {
	return status.Errorf(codes.PermissionDenied, "the certificate is for service account %q, but pod %s runs as %q",
		peer.ServiceAccount, p.ID, p.ServiceAccount)
}

// move takes a stream to other views. What the old ones had goes when what the
// new ones have was sent. Views that stay keep their order.
func (s *Server) move(st *stream, p model.Proxy) {
	from, to := st.names, p.Views
	s.changedViews(from)
	left := without(from, to)
	for _, name := range left {
		view := s.store.view(name)
		delete(view.streams, st)
		for k := range kinds {
			delete(view.wildcards[k], st)
		}
	}
	st.enter(to)
	s.changedViews(to)
	for _, name := range slices.Concat(left, without(to, from)) {
		st.markWanted(name, slices.Concat(from, to))
	}
	for k, sub := range st.subscriptions {
		if sub != nil && sub.wildcard {
			for _, view := range st.views() {
				view.wildcards[k][st] = struct{}{}
			}
		}
	}
	st.markedNow()
	for _, name := range left {
		s.store.releaseView(name)
	}
}

// without gives what is in the first list alone.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

// markWanted puts what the stream wants of a view's resources in its slot. Which of
// some views it sees them in is going to be another.
func (st *stream) markWanted(name string, among []string) {
	view := st.server.store.view(name)
	for k, sub := range st.subscriptions {
		if sub == nil {
			continue
		}
		for t := range view.topics[k] {
			if sub.wants(t) {
				sub.mark(t)
				st.server.changedIn(t, among)
			}
		}
	}
}

func (st *stream) isAdmitted() bool {
	select {
	case <-st.admitted:
		return true
	default:
		return false
	}
}

// awaitAdmission holds a stream until it is admitted.
func (s *Server) awaitAdmission(ctx context.Context, st *stream) error {
	select {
	case <-s.ready:
	case err := <-st.ended:
		return err
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	timeout := time.NewTimer(s.hold)
	defer timeout.Stop()
	select {
	case <-st.admitted:
		return nil
	case <-timeout.C:
		// It may have been admitted at this moment, by who holds the lock.
		s.mu.Lock()
		defer s.mu.Unlock()
		if st.isAdmitted() {
			return nil
		}
		refusals.WithLabelValues("unknown").Inc()
		return status.Errorf(codes.Unavailable, "pod %s is not known", st.peer.ID)
	case err := <-st.ended:
		return err
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
