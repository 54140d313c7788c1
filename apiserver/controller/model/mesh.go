// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package model is what the mesh means, in its own words: services as callers
// see them, workloads as their inbound side must behave, and who may call what.
// It knows neither Kubernetes clients nor Envoy. The compile package makes it,
// the envoy package turns it into resources.
//
// Every value is immutable once it has been handed on, every list is sorted,
// and equal input gives equal (reflect.DeepEqual) values.
package model

import "time"

// Mesh is what every proxy shares.
type Mesh struct {
	// TrustDomain is the SPIFFE trust domain, without a scheme: "cluster.local".
	TrustDomain string
	// Egress says what happens to a connection to an address that no Service names.
	Egress EgressMode
	// CertificateLifetime is the longest life of a workload certificate that is
	// issued now, 1 h or more (KEP-4317 knows none shorter). An inbound
	// connection lives no longer.
	CertificateLifetime time.Duration
	// DecodeSlashes makes slashes of those that a request's path has in
	// percent-encoding; without it such a request is refused where a rule names paths.
	DecodeSlashes bool
	// TLS12 lets callers come by TLS 1.2.
	TLS12 bool
}

// EgressMode is the fate of a connection to an address that no Service names.
type EgressMode string

// The two modes of MeshConfig.spec.traffic.egress.
const (
	EgressPassthrough EgressMode = "Passthrough"
	EgressRefuse      EgressMode = "Refuse"
)

// Protocol is what is spoken on a port.
type Protocol string

// The protocols that a port can declare by appProtocol or by its name.
const (
	ProtocolTCP   Protocol = "TCP"
	ProtocolHTTP1 Protocol = "HTTP/1.1"
	ProtocolHTTP2 Protocol = "HTTP/2"
	ProtocolGRPC  Protocol = "gRPC"
	// ProtocolDetect is that of a port which declares none: the caller's proxy
	// looks at the first bytes of each connection.
	ProtocolDetect Protocol = "Detect"
)

// MayBeHTTP tells whether calls may arrive as requests.
func (p Protocol) MayBeHTTP() bool { return p == ProtocolDetect || p.IsHTTP() }

// IsHTTP tells whether requests, and not only connections, can be told apart.
func (p Protocol) IsHTTP() bool {
	return p == ProtocolHTTP1 || p == ProtocolHTTP2 || p == ProtocolGRPC
}

// SPIFFEID is the identity of a service account:
// spiffe://<trustDomain>/ns/<namespace>/sa/<serviceAccount>.
func SPIFFEID(trustDomain, namespace, serviceAccount string) string {
	return "spiffe://" + trustDomain + "/ns/" + namespace + "/sa/" + serviceAccount
}
