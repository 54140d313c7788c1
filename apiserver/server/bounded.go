// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// Connections that one address may have open. Every pod of the cluster can
// connect, and each connection costs tens of kilobytes before it has shown who it is.
const (
	// apiConnections are the aggregator's, the kubelet's and those of clients
	// that come without it.
	apiConnections = 512
	// webhookConnections carry webhookStreams reviews each. The API server opens
	// another where one is full.
	webhookConnections = 128
	webhookStreams     = 100
	metricsConnections = 32
	// xdsConnections are one a pod; where the network hides pods behind their
	// node, as many as a node has pods, and more.
	xdsConnections = 4096
)

var refusedConnections = metrics.NewCounterVec(&metrics.CounterOpts{
	Name:           "mesh_server_refused_connections_total",
	Help:           "Connections that were closed because their address has too many open, by listener.",
	StabilityLevel: metrics.ALPHA,
}, []string{"listener"})

func init() { legacyregistry.MustRegister(refusedConnections) }

// boundedListener closes further connections of an address that has most open.
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

// Accept gives the next connection whose address has room.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := addressOf(c)
		if l.enter(source) {
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(source) })}, nil
		}
		refusedConnections.WithLabelValues(l.name).Inc()
		c.Close()
	}
}

func (l *boundedListener) enter(source string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[source] >= l.most {
		return false
	}
	l.open[source]++
	return true
}

func (l *boundedListener) leave(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[source]--; l.open[source] == 0 {
		delete(l.open, source)
	}
}

func addressOf(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}

type boundedConn struct {
	net.Conn
	leave func()
}

// Close makes room for another.
func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
