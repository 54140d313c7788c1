// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import "slices"

// Lacking names the connected proxies that have not ACKed a certificate, PEM, in
// every validation context that they want: "namespace/pod/uid", in order. It walks
// all streams.
func (s *Server) Lacking(certificate []byte) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, st := range s.streams {
		if !st.isAdmitted() || !st.has(secrets, Awaited{Containing: certificate}) {
			out = append(out, id.String())
		}
	}
	slices.Sort(out)
	return out
}
