// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/openservicemesh/mesh-apiserver/apiserver/source"
)

// Connections that one source (package source) may have open: an IPv4 address, or
// the /64 of IPv6 addresses. Every pod of the cluster can connect, and each connection
// costs tens of kilobytes before it has shown who it is.
const (
	// apiConnections are the aggregator's, the kubelet's and those of clients
	// that come without it.
	apiConnections = 512
	// webhookConnections carry webhookStreams reviews each. The API server opens
	// another where one is full.
	webhookConnections = 128
	webhookStreams     = 100
	metricsConnections = 32
	// xdsConnections are those that have not shown a certificate yet, which they must
	// within seconds. All pods of a node, or of a /64, may come at once.
	xdsConnections = 4096
)

var refusedConnections = metrics.NewCounterVec(&metrics.CounterOpts{
	Name:           "mesh_server_refused_connections_total",
	Help:           "Connections that were closed because their address, or the /64 of their IPv6 address, has too many open, by listener.",
	StabilityLevel: metrics.ALPHA,
}, []string{"listener"})

func init() { legacyregistry.MustRegister(refusedConnections) }

// boundedListener closes further connections of a source that has most open.
type boundedListener struct {
	net.Listener
	name string
	most int

	mu   sync.Mutex
	open map[string]int
}

func bounded(l net.Listener, name string, most int) net.Listener {
	return &boundedListener{Listener: l, name: name, most: most, open: map[string]int{}}
}

// Accept gives the next connection whose source has room.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := source.Of(c.RemoteAddr().String())
		if l.enter(from) {
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		refusedConnections.WithLabelValues(l.name).Inc()
		c.Close()
	}
}

func (l *boundedListener) enter(from string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from] >= l.most {
		return false
	}
	l.open[from]++
	return true
}

func (l *boundedListener) leave(from string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
}

type boundedConn struct {
	net.Conn
	leave func()
}

// Identified makes room for another: the client has shown who it is, and is bounded
// by that.
func (c *boundedConn) Identified() { c.leave() }

// Close makes room for another.
func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
