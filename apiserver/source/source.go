// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package source tells callers apart that have not shown who they are, to bound
// what each may take.
package source

import "net/netip"

// ipv6Bits is how much of an IPv6 address counts: a host takes as many addresses
// as it likes of the /64 that its link has (RFC 4291, section 2.5.1).
const ipv6Bits = 64

// Of gives the source of a connection from its remote address, "HOST:PORT": an
// IPv4 address, or the /64 of an IPv6 address. What is no such address is a source
// of its own.
func Of(remote string) string {
	parsed, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	address := parsed.Addr().Unmap()
	if address.Is4() {
		return address.String()
	}
	prefix, err := address.WithZone("").Prefix(ipv6Bits)
	if err != nil {
		return remote
	}
	return prefix.String()
}
