// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"bytes"
	"slices"
)

// Lacking names the connected proxies that have not ACKed a certificate, PEM, in
// every validation context that they want: "namespace/pod/uid", in order. What the
// server still holds without it counts as not ACKed, so whoever has just changed
// the roots need not know when that is compiled. It walks all streams.
func (s *Server) Lacking(certificate []byte) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, st := range s.streams {
		if !st.isAdmitted() || !st.trusts(certificate) {
			out = append(out, id.String())
		}
	}
	slices.Sort(out)
	return out
}

// trusts tells whether the proxy has ACKed a certificate in every secret that it
// has asked for, or wants none.
func (st *stream) trusts(certificate []byte) bool {
	wanted := 0
	if s := st.subscriptions[secrets]; s != nil {
		for t := range s.known.all() {
			r := st.visible(t)
			if r == nil || !bytes.Contains(r.source.Body.GetValue(), certificate) || !s.hasAcked(t, r) {
				return false
			}
			wanted++
		}
	}
	return wanted > 0 || st.isSettled(clusters) && st.isSettled(listeners)
}

// isSettled tells whether the proxy has asked for a kind and answered all that
// came of it: it has asked then for everything that this refers to.
func (st *stream) isSettled(k kind) bool {
	s := st.subscriptions[k]
	if s == nil || s.dirty.n > 0 || s.owed {
		return false
	}
	for _, have := range s.known.all() {
		if have.nonce > s.answered {
			return false
		}
	}
	return true
}
