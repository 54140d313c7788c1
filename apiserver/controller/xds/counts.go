// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import "github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"

// Counts are what has gone over one stream, of one type. The metrics have their
// sums over all streams: a metric for each proxy would grow with the mesh.
type Counts struct {
	// Responses, and the Resources set, names Removed and Bytes of encoded
	// resources that they carried.
	Responses, Resources, Removed, Bytes int
	// Acks and Nacks are what the proxy answered.
	Acks, Nacks int
}

// Counts gives those of a proxy's stream by type URL, for the types that it has
// asked for; nil if it is not connected.
func (s *Server) Counts(id model.ProxyID) map[string]Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.streams[id]
	if !ok {
		return nil
	}
	out := map[string]Counts{}
	for k, sub := range st.subscriptions {
		if sub != nil {
			out[kind(k).typeURL()] = sub.counts
		}
	}
	return out
}

// counted adds responses that are about to be sent.
func (s *subscription) counted(responses []*response) []*response {
	for _, r := range responses {
		s.counts.Responses++
		s.counts.Resources += len(r.frames)
		s.counts.Removed += len(r.removed)
		s.counts.Bytes += r.bytes()
	}
	return responses
}
