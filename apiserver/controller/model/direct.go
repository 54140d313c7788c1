// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import "net/netip"

// Account names a service account.
type Account struct {
	Namespace, Name string
}

// Peer is who is expected behind an address that the application itself chose:
// a pod of an account, or, if Plaintext is set, something outside the mesh. The
// zero Peer is nobody: such a connection is refused.
type Peer struct {
	Account Account
	// Plaintext is never true of a meshed pod's address.
	Plaintext bool
}

// Headless is how callers reach a Service without a cluster IP: they dial its
// endpoints, and each connection goes where it was dialled. So there are no
// endpoints here, only the peers among whom Direct divides their addresses.
type Headless struct {
	Key ServiceKey
	// Ports are sorted by number. Only ports that carry TCP appear.
	Ports []HeadlessPort
}

// HeadlessPort is one port of a headless Service.
type HeadlessPort struct {
	// Number is the Service's own port, which names it; callers dial the
	// endpoints' port.
	Number   uint16
	Protocol Protocol
	// Peers behind the port, sorted: by account, then those outside the mesh.
	Peers []Peer
}

// Direct is who answers at the addresses that callers dial at one port, other
// than cluster IPs.
type Direct struct {
	// Port is the port that is dialled; 0 stands for every port that has no
	// Direct of its own.
	Port uint16
	// Groups share no address. They are sorted by Service, then peer.
	Groups []DirectGroup
}

// DirectGroup is the addresses of a Direct that are treated alike.
type DirectGroup struct {
	Peer Peer
	// Service is the port of a headless Service to which the addresses belong;
	// nil means the addresses as such, of which nothing but the peer is known.
	Service *DirectService
	// Addresses are sorted, without repeats.
	Addresses []netip.Addr
}

// DirectService names a port of a headless Service.
type DirectService struct {
	Key ServiceKey
	// Number is the Service's own port.
	Number   uint16
	Protocol Protocol
}
