// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"net/netip"
	"slices"
)

// ServiceKey names a Service.
type ServiceKey struct {
	Namespace, Name string
}

// String gives "namespace/name".
func (k ServiceKey) String() string { return k.Namespace + "/" + k.Name }

// Service is how callers reach one Service by its addresses.
type Service struct {
	Key ServiceKey
	// Addresses are those that this Service owns: cluster IPs, then external and
	// load-balancer IPs, in the order in which it names them.
	Addresses []netip.Addr
	// Ports are sorted by number. Only ports that carry TCP appear.
	Ports []ServicePort
}

// WithoutEndpoints is the Service with no address behind its ports.
func (s Service) WithoutEndpoints() Service {
	s.Ports = slices.Clone(s.Ports)
	for i := range s.Ports {
		s.Ports[i].Endpoints = nil
	}
	return s
}

// ServicePort is one port of a Service, with what stands behind it.
type ServicePort struct {
	// Number is the Service's own port, not the target port.
	Number   uint16
	Protocol Protocol
	// Opaque is true if the pods behind the port do not know of its protocol,
	// since the Service does not select them: they are called as over TCP.
	Opaque bool
	// Routes are sorted by consumer. Callers that none is for go to the port itself.
	Routes []Routes
	// Endpoints are sorted by address, then port.
	Endpoints []Endpoint
	// Identities are the SPIFFE IDs of the accounts of the meshed pods behind
	// this port, ready or not, sorted, without repeats. It is empty only if no
	// endpoint is meshed.
	Identities []string
	// Unmeshed is true if some address behind this port, ready or not, is outside
	// the mesh and may be called in plaintext.
	Unmeshed bool
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

// AllRoutes are the port's routes with those for callers that no other is for, which
// come first. The key is that of the port's Service.
func (p ServicePort) AllRoutes(key ServiceKey) []Routes {
	if len(p.Routes) > 0 && p.Routes[0].Consumer == "" {
		return p.Routes
	}
	return append([]Routes{RoutesToItself(key, p.Number)}, p.Routes...)
}
