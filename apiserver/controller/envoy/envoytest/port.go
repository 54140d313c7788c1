// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoytest

import (
	"syscall"
	"testing"
)

// FreePort gives a port of 127.0.0.1 for a process that the test starts. Until the
// test ends nobody gets it who asks for any port, since a socket is bound to it.
// That does not listen, so connections are refused meanwhile, and whoever sets
// SO_REUSEADDR can bind to the port, as Envoy and Go do before they listen: socket(7).
func FreePort(t testing.TB) uint16 {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	address, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(address.(*syscall.SockaddrInet4).Port)
}
