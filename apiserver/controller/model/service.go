// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import "net/netip"

// ServiceKey names a Service.
type ServiceKey struct {
	Namespace, Name string
}

// String gives "namespace/name".
func (k ServiceKey) String() string { return k.Namespace + "/" + k.Name }

// Service is how callers reach one Service by its cluster IPs.
type Service struct {
	Key ServiceKey
	// Addresses are the cluster IPs that this Service owns, in the order of its spec.
	Addresses []netip.Addr
	// Ports are sorted by number. Only ports that carry TCP appear.
	Ports []ServicePort
}

// ServicePort is one port of a Service, with what stands behind it.
type ServicePort struct {
	// Number is the Service's own port, not the target port.
	Number   uint16
	Protocol Protocol
	// Endpoints are sorted by address, then port.
	Endpoints []Endpoint
	// Identities are the SPIFFE IDs of the accounts of the meshed pods behind
	// this port, sorted, without repeats. It is empty only if no endpoint is
	// meshed.
	Identities []string
}

// Endpoint is one address that serves a ServicePort.
type Endpoint struct {
	Address netip.Addr
	Port    uint16
	// Plaintext is true for an address that belongs to no pod of the mesh, and
	// then only where MeshConfig lets meshed callers reach such addresses. A
	// meshed pod's address is never plaintext.
	Plaintext bool
}
