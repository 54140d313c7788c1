// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/source"
)

// TestAnAddressHasNoMoreConnectionsThanItsShare uses two addresses of loopback.
func TestAnAddressHasNoMoreConnectionsThanItsShare(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := bounded(inner, "test", 2)
	t.Cleanup(func() { listener.Close() })
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func(from string) net.Conn {
		t.Helper()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := dialer.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}

	dial("127.0.0.1")
	first := <-accepted
	dial("127.0.0.1")
	<-accepted
	third := dial("127.0.0.1")
	if err := third.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) || isTimeout(err) {
		t.Errorf("the third connection of an address gave %v, want that the server closes it", err)
	}
	dial("127.0.0.2")
	<-accepted

	first.Close()
	first.Close()
	dial("127.0.0.1")
	<-accepted
	fifth := dial("127.0.0.1")
	if err := fifth.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := fifth.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("a connection that was closed twice made room for two: %v", err)
	}
}

// A client that has shown its certificate leaves the place of its source.
func TestConnectionThatIsIdentifiedCountsNoMore(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := bounded(inner, "test", 1)
	t.Cleanup(func() { listener.Close() })
	for range 3 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		accepted, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { accepted.Close() })
		accepted.(interface{ Identified() }).Identified()
	}
}

func TestIPv6AddressesOfOneHostShareConnections(t *testing.T) {
	listener := bounded(nil, "test", 2).(*boundedListener)
	for _, remote := range []string{"[2001:2:0:1::1]:1", "[2001:2:0:1::2]:1"} {
		if !listener.enter(source.Of(remote)) {
			t.Errorf("%s finds no room", remote)
		}
	}
	if listener.enter(source.Of("[2001:2:0:1::3]:1")) {
		t.Error("a third address of the /64 finds room")
	}
	if !listener.enter(source.Of("[2001:2:0:2::1]:1")) {
		t.Error("another /64 finds no room")
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}
