// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package model

// MishapKind is why a proxy has not carried a connection as it was meant.
type MishapKind int

const (
	// MishapUndetected is a connection that its client closed before the proxy
	// knew what it carries. What the client had sent is dropped.
	MishapUndetected MishapKind = iota
	// MishapNotHTTP is a connection that carries something else than requests, as
	// TLS, to a port that is HTTP. It is ended.
	MishapNotHTTP
)

// Mishap is what a proxy counts of connections that it did not carry.
type Mishap struct {
	Kind MishapKind
	// Service is the one that was called, where the caller's proxy counts. The
	// callee's proxy knows none.
	Service ServiceKey
	// Port is the Service's, and the pod's own where the callee's proxy counts.
	Port uint16
}
