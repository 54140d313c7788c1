// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

// Lacking counts the connected proxies that have not ACKed a certificate, PEM, in
// every validation context that they want. It walks all streams.
func (s *Server) Lacking(certificate []byte) int {
	p := s.Progress(Awaited{TypeURL: typeURLs[secrets], Containing: certificate})
	return p.Connected - p.Acked
}
