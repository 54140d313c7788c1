// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"crypto/sha256"
	"errors"
	"net"
	"sync"

	"google.golang.org/grpc/credentials"
)

// maxConnections bounds the connections of one certificate. A proxy has one, and
// a second while it has not noticed that the first is dead. On each it may have
// requests under way that it never ends, which no stream's bounds see.
const maxConnections = 4

var errTooManyConnections = errors.New("the certificate has too many connections open")

// countedCredentials are TLS for which each client certificate has few
// connections at a time.
type countedCredentials struct {
	credentials.TransportCredentials

	mu   sync.Mutex
	open map[certificate]int
}

func counted(inner credentials.TransportCredentials) *countedCredentials {
	return &countedCredentials{TransportCredentials: inner, open: map[certificate]int{}}
}

// identified is a connection that a listener counts by its address until its client
// has shown who it is.
type identified interface{ Identified() }

// ServerHandshake refuses a client that has enough connections. From then on they are
// counted by its certificate alone: thousands of pods may share a source.
func (c *countedCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	key := keyOf(info)
	if !c.enter(key) {
		refusals.WithLabelValues("connections").Inc()
		conn.Close()
		return nil, nil, errTooManyConnections
	}
	if listed, ok := raw.(identified); ok {
		listed.Identified()
	}
	return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { c.leave(key) })}, info, nil
}

// certificate is the digest of a client's certificate.
type certificate [sha256.Size]byte

// keyOf tells clients apart; the TLS configuration demands a certificate.
func keyOf(info credentials.AuthInfo) certificate {
	tls, ok := info.(credentials.TLSInfo)
	if !ok || len(tls.State.PeerCertificates) == 0 {
		return certificate{}
	}
	return sha256.Sum256(tls.State.PeerCertificates[0].Raw)
}

func (c *countedCredentials) enter(key certificate) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[key] >= maxConnections {
		return false
	}
	c.open[key]++
	return true
}

func (c *countedCredentials) leave(key certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[key]--; c.open[key] == 0 {
		delete(c.open, key)
	}
}

type countedConn struct {
	net.Conn
	leave func()
}

// Close makes room for another.
func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
