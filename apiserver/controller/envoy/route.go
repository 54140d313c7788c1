// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// routesTo is the RDS resource of a Service's HTTP port: everything goes to the
// cluster of the same name, and what is tried again goes to another endpoint.
func routesTo(name string) (Resource, error) {
	return Encode(name, "", routeConfiguration(name, name, elsewhere))
}

// inboundRoutes is the RDS resource of an inbound port. Who may send which
// request is an override of the manager's RBAC filters, which deny everything
// by themselves; so an edit of access sends this resource alone.
func inboundRoutes(m model.Mesh, w model.Workload, p model.InboundPort) (Resource, error) {
	rules, err := perRouteRBAC(m, p.Access)
	if err != nil {
		return Resource{}, err
	}
	name := inboundName(w, p)
	c := routeConfiguration(name, inboundCluster(p.Protocol), retry)
	c.TypedPerFilterConfig = rules
	c.VirtualHosts[0].Routes = append(refuseForms(p.Access), c.VirtualHosts[0].Routes...)
	return Encode(name, w.View, c)
}

// routeConfiguration leads everything to one cluster. It has no timeout of its own.
// WebSockets and gRPC streams may be silent for as long as they like; other streams
// end when they are idle.
//
// What no application has seen is tried again, and a request that may be served
// twice (RFC 9110, 9.2.2) also where its connection broke before a response. Servers
// end idle connections, and a request that meets such an end is lost through no
// fault of the caller, who would have sent it again on a connection of its own.
func routeConfiguration(name, cluster string, retry func(on string) *routev3.RetryPolicy) *routev3.RouteConfiguration {
	to := &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}, Timeout: dur(0)}
	patient, again := proto.CloneOf(to), proto.CloneOf(to)
	patient.IdleTimeout = dur(0)
	again.RetryPolicy = retry(retryUnseen + ",reset")
	return &routev3.RouteConfiguration{
		Name:             name,
		ValidateClusters: no(),
		VirtualHosts: []*routev3.VirtualHost{{
			Name:    name,
			Domains: []string{"*"},
			// By the virtual host each route has it, for the bytes of one.
			RetryPolicy: retry(retryUnseen),
			Routes: []*routev3.Route{
				route("websocket", &routev3.RouteMatch{PathSpecifier: anyPath(), Headers: []*routev3.HeaderMatcher{websocket()}}, patient),
				route("grpc", &routev3.RouteMatch{PathSpecifier: anyPath(), Grpc: &routev3.RouteMatch_GrpcRouteMatchOptions{}}, patient),
				route("idempotent", &routev3.RouteMatch{PathSpecifier: anyPath(), Headers: []*routev3.HeaderMatcher{
					headerMatcher(":method", wholly("GET|HEAD|OPTIONS|PUT|DELETE")),
				}}, again),
				route("default", &routev3.RouteMatch{PathSpecifier: anyPath()}, to),
			},
		}},
	}
}

func route(name string, match *routev3.RouteMatch, to *routev3.RouteAction) *routev3.Route {
	return &routev3.Route{Name: name, Match: match, Action: &routev3.Route_Route{Route: to}}
}

// anyPath is every path, that of "OPTIONS *" included.
func anyPath() *routev3.RouteMatch_Prefix { return &routev3.RouteMatch_Prefix{} }

func websocket() *routev3.HeaderMatcher {
	m := exactly("websocket")
	m.IgnoreCase = true
	return headerMatcher("upgrade", m)
}

func headerMatcher(name string, m *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{
		Name:                 name,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m},
	}
}

// retryUnseen are the failures before a request has left the proxy, or that say that
// it was not looked at.
const retryUnseen = "connect-failure,refused-stream,reset-before-request"

// retry sends a request again to where it was going. The proxy keeps the body
// meanwhile, up to its buffer's limit; a larger one is passed on and not sent again.
func retry(on string) *routev3.RetryPolicy {
	return &routev3.RetryPolicy{RetryOn: on, NumRetries: u32(2)}
}

// elsewhere prefers an endpoint that has not been tried.
func elsewhere(on string) *routev3.RetryPolicy {
	policy := retry(on)
	policy.HostSelectionRetryMaxAttempts = 5
	policy.RetryHostPredicate = []*routev3.RetryPolicy_RetryHostPredicate{{
		Name:       "envoy.retry_host_predicates.previous_hosts",
		ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: pack(&previoushostsv3.PreviousHostsPredicate{})},
	}}
	return policy
}
