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
	// Opaque is as in ServicePort.
	Opaque bool
	// Peers behind the port, sorted: by account, then those outside the mesh.
	Peers []Peer
}

// Direct is who answers at the addresses that callers dial themselves: those of
// meshed pods and of the endpoints of headless Services.
type Direct struct {
	// Groups share no address. They are sorted by their first address.
	Groups []DirectGroup
}

// DirectGroup is the addresses of a Direct that are treated alike.
type DirectGroup struct {
	// Addresses are sorted, without repeats.
	Addresses []netip.Addr
	// Ports are those at which somebody in particular answers, sorted by number.
	Ports []DirectPort
	// Otherwise answers at every other port; nil if nothing is known of the
	// addresses as such.
	Otherwise *Peer
}

// DirectPort is who answers at one port of the addresses of a DirectGroup.
type DirectPort struct {
	// Number is the port that is dialled.
	Number uint16
	Peer   Peer
	// Service is the port of a headless Service that owns the addresses at this
	// port; nil if nothing is known but the peer.
	Service *DirectService
}

// DirectService names a port of a headless Service.
type DirectService struct {
	Key ServiceKey
	// Number is the Service's own port.
	Number   uint16
	Protocol Protocol
}
