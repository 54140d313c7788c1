// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"net/netip"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// clusterAdmin is Envoy's admin interface. The listeners show two of its paths
// and nothing else.
const clusterAdmin = "admin"

// staticIdleTimeout ends connections between requests, since whoever reaches the
// pod can open them: Envoy's own is an hour. Prometheus asks once a minute.
const staticIdleTimeout = 90 * time.Second

// adminAddress is open to the proxy's group, with which mesh-init asks whether
// the proxy is ready.
func adminAddress() *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: sidecar.AdminSocket, Mode: 0o660}}}
}

func adminCluster() *clusterv3.Cluster {
	return staticCluster(clusterAdmin, pipeAddress(sidecar.AdminSocket))
}

// readinessListener answers /ready, 200 once everything that was asked for at
// the start is there.
func readinessListener() *listenerv3.Listener {
	return adminListener("readiness", sidecar.PortReadiness, "/ready")
}

// prometheusListener answers /stats/prometheus.
func prometheusListener() *listenerv3.Listener {
	return adminListener("prometheus", sidecar.PortPrometheus, "/stats/prometheus")
}

func adminListener(name string, port uint16, path string) *listenerv3.Listener {
	return staticListener(name, port, staticManager(name, []*routev3.Route{
		route(name, exactPath(path), &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: clusterAdmin},
		}),
	}, "GET|HEAD"))
}

func exactPath(path string) *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: path}}
}

// staticManager answers the given methods on the given routes, each an exact path
// without a query, and 404 to all else. A query would reach the application,
// and everybody can send one.
func staticManager(name string, routes []*routev3.Route, methods string) *hcmv3.HttpConnectionManager {
	for _, r := range routes {
		r.Match.Headers = []*routev3.HeaderMatcher{
			headerMatcher(":method", wholly(methods)),
			headerMatcher(":path", exactly(r.Match.GetPath())),
		}
	}
	m := connectionManager(name, "")
	m.UpgradeConfigs = nil
	m.CommonHttpProtocolOptions.IdleTimeout = dur(staticIdleTimeout)
	m.HttpFilters = []*hcmv3.HttpFilter{httpFilter(filters.Router, filters.PlainRouter())}
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
		Name:         name,
		VirtualHosts: []*routev3.VirtualHost{{Name: name, Domains: []string{"*"}, Routes: routes}},
	}}
	return m
}

// staticListener is left out of the global connection limit: a busy proxy is not a
// dead one.
//
// It owns the port on every address, so the outbound listener would hand a call to
// another pod's port of this number over to it, and the caller's proxy would answer
// for the callee. The redirection leads such a call elsewhere (redirect.Install).
func staticListener(name string, port uint16, m *hcmv3.HttpConnectionManager) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          name,
		Address:                       socketAddress("0.0.0.0", port),
		AdditionalAddresses:           []*listenerv3.AdditionalAddress{{Address: socketAddress("::", port)}},
		PerConnectionBufferLimitBytes: u32(bufferLimit),
		IgnoreGlobalConnLimit:         true,
		FilterChains: []*listenerv3.FilterChain{{
			Name:    name,
			Filters: []*listenerv3.Filter{networkFilter(filters.Manager, m)},
		}},
	}
}

func staticCluster(name string, address *corev3.Address) *clusterv3.Cluster {
	c := cluster(name)
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	c.LoadAssignment = &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address}},
		}}}},
	}
	return c
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
