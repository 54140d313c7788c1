// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"time"

	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// An inbound TCP connection ends with the certificate that opened it, and after
// maxTCPConnection, the default lifetime of one, where certificates live longer.
// minCertificateLifetime is the shortest that the API server takes (KEP-4317).
const (
	maxTCPConnection       = 24 * time.Hour
	minCertificateLifetime = time.Hour
)

func tcpProxy(statPrefix, cluster string) *tcpproxyv3.TcpProxy {
	return &tcpproxyv3.TcpProxy{
		StatPrefix:       statPrefix,
		ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: cluster},
	}
}

// tcpTo is a tcp_proxy to the cluster of the same name, by ECDS: a route or weight
// changes it and cuts nothing.
func tcpTo(name string) (Resource, error) {
	return Encode(name, "", extension(name, tcpProxy(name, name)))
}

// portConnections are the ECDS resource of a Service's TCP port, one for everybody and
// one for each namespace whose callers have routes of their own.
func portConnections(key model.ServiceKey, p model.ServicePort) ([]Resource, error) {
	var out collector
	name := ServicePortName(key, p.Number)
	for _, r := range p.AllRoutes(key) {
		to := &tcpproxyv3.TcpProxy{StatPrefix: name}
		destinationOf(name, r.TCP).ofConnections(to)
		out.add(Encode(name, routesView(r), extension(name, to)))
	}
	return out.resources, out.err
}

// inboundTCP hands a connection to the application. It connects only when the
// TLS handshake is done, so that a client whom the handshake refuses is not
// noticed by the application and hears nothing from a protocol in which the
// server speaks first.
func inboundTCP(lifetime time.Duration, statPrefix string) *tcpproxyv3.TcpProxy {
	p := boundedTCP(lifetime, statPrefix)
	p.UpstreamConnectMode = tcpproxyv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE
	p.MaxEarlyDataBytes = u32(0)
	return p
}

// plaintextTCP hands over a connection without TLS, at once, or, where whether
// it may come in is decided by its first byte, after that.
func plaintextTCP(lifetime time.Duration, statPrefix string, atFirstByte bool) *tcpproxyv3.TcpProxy {
	p := boundedTCP(lifetime, statPrefix)
	if atFirstByte {
		p.UpstreamConnectMode = tcpproxyv3.UpstreamConnectMode_ON_DOWNSTREAM_DATA
		p.MaxEarlyDataBytes = u32(bufferLimit)
	}
	return p
}

func boundedTCP(lifetime time.Duration, statPrefix string) *tcpproxyv3.TcpProxy {
	p := tcpProxy(statPrefix, ClusterInboundTCP)
	p.MaxDownstreamConnectionDuration = dur(min(maxTCPConnection, max(minCertificateLifetime, lifetime)))
	return p
}

// certificateLifetime is that of a workload's certificates: a pod keeps the one
// that it was made with where the mesh's has been raised since.
func certificateLifetime(m model.Mesh, w model.Workload) time.Duration {
	if w.CertificateLifetime > 0 {
		return min(m.CertificateLifetime, w.CertificateLifetime)
	}
	return m.CertificateLifetime
}
