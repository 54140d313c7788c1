// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rawbufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// serviceCluster is the Service port as its callers reach it: mTLS to the
// identities of the pods behind it, plaintext only for endpoints that say so.
func serviceCluster(s model.ServiceKey, p model.ServicePort) (Resource, error) {
	name := ServicePortName(s, p.Number)
	return encodeCluster(edsCluster(name, EndpointSetName(s, p.Number), s, p))
}

// encodeCluster notes where a cluster takes its endpoints from.
func encodeCluster(c *clusterv3.Cluster) (Resource, error) {
	r, err := Encode(c.Name, "", c)
	r.EndpointSet = c.GetEdsClusterConfig().GetServiceName()
	return r, err
}

// edsCluster is a way to call a Service's port, and endpoints the set that it calls.
func edsCluster(name, endpoints string, s model.ServiceKey, p model.ServicePort) *clusterv3.Cluster {
	c := cluster(name)
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: fromADS()}
	if endpoints != name {
		c.EdsClusterConfig.ServiceName = endpoints
	}
	c.LbPolicy = clusterv3.Cluster_LEAST_REQUEST
	c.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{
		// With a threshold Envoy calls endpoints that it knows to be unhealthy.
		HealthyPanicThreshold: &typev3.Percent{Value: 0},
		// An endpoint's change acts at once.
		UpdateMergeWindow: dur(0),
	}
	c.Metadata = serviceMetadata(s, p.Number)
	c.TypedExtensionProtocolOptions = protocolOptions(upstreamProtocol(p))
	c.TransportSocket = clientTLS(alpn(p.Protocol, p.Opaque), p.Identities)
	c.TransportSocketMatches = []*clusterv3.Cluster_TransportSocketMatch{{
		Name:            keyPlaintext,
		Match:           plaintext(),
		TransportSocket: rawBuffer(),
	}}
	return c
}

// passthroughCluster connects to where the application wanted to go.
func passthroughCluster() (Resource, error) {
	return Encode(ClusterPassthrough, "", originalDst(ClusterPassthrough))
}

// inboundCluster names the cluster by which an application is spoken to.
func inboundCluster(p model.Protocol) string {
	switch p {
	case model.ProtocolHTTP1:
		return ClusterInboundHTTP1
	case model.ProtocolHTTP2, model.ProtocolGRPC:
		return ClusterInboundHTTP2
	case model.ProtocolDetect:
		return ClusterInboundHTTP
	default:
		return ClusterInboundTCP
	}
}

// applicationCluster connects to the port of the pod's own address that was called,
// from 127.0.0.6 or ::6: connections from there are not captured again, and what
// listens on loopback alone stays private.
func applicationCluster(protocol model.Protocol) (Resource, error) {
	name := inboundCluster(protocol)
	c := originalDst(name)
	c.UpstreamBindConfig = inboundSource()
	c.TypedExtensionProtocolOptions = applicationOptions(protocol)
	return Encode(name, "", c)
}

func inboundSource() *corev3.BindConfig {
	v4, v6 := socketAddress("127.0.0.6", 0), socketAddress("::6", 0)
	return &corev3.BindConfig{
		SourceAddress:        v4.GetSocketAddress(),
		ExtraSourceAddresses: []*corev3.ExtraSourceAddress{{Address: v6.GetSocketAddress()}},
	}
}

func originalDst(name string) *clusterv3.Cluster {
	c := cluster(name)
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST}
	c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
	return c
}

func cluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                          name,
		ConnectTimeout:                dur(connectTimeout),
		PerConnectionBufferLimitBytes: u32(bufferLimit),
		CircuitBreakers: &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{
			unlimited(corev3.RoutingPriority_DEFAULT),
			unlimited(corev3.RoutingPriority_HIGH),
		}},
	}
}

func unlimited(p corev3.RoutingPriority) *clusterv3.CircuitBreakers_Thresholds {
	return &clusterv3.CircuitBreakers_Thresholds{
		Priority:           p,
		MaxConnections:     u32(noLimit),
		MaxPendingRequests: u32(noLimit),
		MaxRequests:        u32(noLimit),
		MaxRetries:         u32(noLimit),
	}
}

func rawBuffer() *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.raw_buffer",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&rawbufferv3.RawBuffer{})},
	}
}

// alpn tells the callee's proxy what the application speaks.
func alpn(p model.Protocol, opaque bool) string {
	switch {
	case opaque:
		return sidecar.ALPNTCP
	case p == model.ProtocolHTTP1:
		return sidecar.ALPNHTTP1
	case p == model.ProtocolHTTP2 || p == model.ProtocolGRPC:
		return sidecar.ALPNHTTP2
	default:
		return sidecar.ALPNTCP
	}
}

// upstreamProtocol is what travels to the endpoints: between proxies HTTP/1.1
// is carried as HTTP/2. A cluster speaks one protocol to all its endpoints, so
// that one with an address outside the mesh keeps to what that understands,
// and one without endpoints as well: those of a Service outside the mesh may
// come and go, and its cluster stays.
func upstreamProtocol(p model.ServicePort) model.Protocol {
	if len(p.Identities) == 0 || p.Unmeshed || p.Protocol == model.ProtocolDetect || p.Opaque {
		return p.Protocol
	}
	return betweenProxies(p.Protocol)
}

func betweenProxies(p model.Protocol) model.Protocol {
	if p == model.ProtocolHTTP1 {
		return model.ProtocolHTTP2
	}
	return p
}
