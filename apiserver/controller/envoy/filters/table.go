// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filters

import (
	httpinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// Names of filters that others speak of.
const (
	TLSInspector = "envoy.filters.listener.tls_inspector"
	Manager      = "envoy.filters.network.http_connection_manager"
	Router       = "envoy.filters.http.router"
	TCPProxy     = "envoy.filters.network.tcp_proxy"
	// The RBAC filters of requests, in their order: the second says who is admitted,
	// the third refuses the others.
	DenyRequests  = "mesh.rbac.deny"
	AllowRequests = "mesh.rbac.allow"
	CloseRequests = "mesh.rbac.closed"
)

// Suffixes of the names of the RBAC filters of connections.
const (
	DenyConnections  = "/deny"
	AllowConnections = "/allow"
)

// Table has all filters of listeners that carry traffic of the mesh. A list has its
// filters in this order. Check holds it to its rules.
//
// The listeners of the bootstrap are not in it: they answer the kubelet and
// Prometheus, and are fixed for the life of the pod.
var Table = []Filter{
	{
		Name: "envoy.filters.listener.original_dst", Lists: []List{InboundListener, OutboundListener},
		Phase: Inspect, Presence: Always, Source: Fixed, Config: &originaldstv3.OriginalDst{},
	},
	{
		Name: TLSInspector, Lists: []List{InboundListener},
		Phase: Inspect, Presence: Always, Source: LDS, Config: &tlsinspectorv3.TlsInspector{},
		Writes: []Metadata{{Namespace: TLSInspector}},
	},
	{
		Name: "envoy.filters.listener.http_inspector", Lists: []List{DetectingListener},
		Phase: Inspect, Presence: ByNeed, Source: Fixed, Config: &httpinspectorv3.HttpInspector{},
	},
	{
		Name: "envoy.filters.network.set_filter_state", Lists: []List{OutboundDetected},
		Phase: Prepare, Presence: ByNeed, Source: LDS, Config: &setstatev3.Config{},
	},
	{
		Name: "deny", Lists: []List{InboundTCP},
		Phase: Deny, Presence: Always, Source: ECDS, Config: &networkrbacv3.RBAC{}, Suffix: DenyConnections,
		Writes: []Metadata{{ConnectionRBAC, AuditDeny}},
	},
	{
		Name: "allow", Lists: []List{InboundTCP},
		Phase: Allow, Presence: Always, Source: ECDS, Config: &networkrbacv3.RBAC{}, Suffix: AllowConnections,
		Writes: []Metadata{{ConnectionRBAC, Admitted}, {ConnectionRBAC, AuditAllow}},
		Reads:  []Metadata{AdmittedConnection},
	},
	{
		Name: DenyRequests, Lists: []List{InboundRequests},
		Phase: Deny, Presence: Always, Source: RDS, Config: denyRequests(),
		Writes: []Metadata{{RequestRBAC, Denied}, {RequestRBAC, AuditDeny}},
	},
	{
		Name: AllowRequests, Lists: []List{InboundRequests},
		Phase: Allow, Presence: Always, Source: RDS, Config: allowRequests(),
		Writes: []Metadata{{RequestRBAC, Admitted}},
	},
	{
		Name: CloseRequests, Lists: []List{InboundRequests},
		Phase: Allow, Presence: Always, Source: RDS, Config: closeRequests(),
		Writes: []Metadata{{RequestRBAC, Closed}, {RequestRBAC, AuditAllow}},
		Reads:  []Metadata{AdmittedRequest},
	},
	{
		Name: Router, Lists: []List{InboundRequests, OutboundRequests},
		Phase: Serve, Presence: Always, Source: Fixed, Config: PlainRouter(),
	},
	{
		Name: Manager, Lists: []List{InboundHTTP, OutboundHTTP, OutboundDetected},
		Phase: Serve, Presence: Always, Source: LDS, Config: &hcmv3.HttpConnectionManager{},
	},
	{
		Name: TCPProxy, Lists: []List{InboundTCP, OutboundDirect},
		Phase: Serve, Presence: Always, Source: LDS, Config: &tcpproxyv3.TcpProxy{},
	},
	{
		Name: "tcp_proxy", Lists: []List{OutboundTCP},
		Phase: Serve, Presence: Always, Source: ECDS, Config: &tcpproxyv3.TcpProxy{},
	},
}
