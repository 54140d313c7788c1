// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import "github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"

// Counts are what has gone over one stream, of one type. The metrics have their
// sums over all streams: a metric for each proxy would grow with the mesh.
type Counts struct {
	// Responses, and the Resources set, names Removed and Bytes of encoded
	// resources that they carried.
	Responses int `json:"responses"`
	Resources int `json:"resources"`
	Removed   int `json:"removed"`
	Bytes     int `json:"bytes"`
	// Acks and Nacks are what the proxy answered.
	Acks  int `json:"acks"`
	Nacks int `json:"nacks"`
}

// Counts gives those of each connected proxy's stream, for the types that it has
// asked for, which are named as in the metrics: "Cluster". It walks all streams.
func (s *Server) Counts() map[model.ProxyID]map[string]Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[model.ProxyID]map[string]Counts, len(s.streams))
	for id, st := range s.streams {
		counts := map[string]Counts{}
		for k, sub := range st.subscriptions {
			if sub != nil {
				counts[kind(k).label()] = sub.counts
			}
		}
		out[id] = counts
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
