// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// portRoutes are the RDS resource of a Service's HTTP port, one for everybody and
// one for each namespace whose callers have routes of their own.
func portRoutes(key model.ServiceKey, p model.ServicePort) ([]Resource, error) {
	var out collector
	name := ServicePortName(key, p.Number)
	for _, r := range p.AllRoutes(key) {
		rules := make([]httpRule, 0, len(r.HTTP))
		for _, h := range r.HTTP {
			rules = append(rules, httpRule{h, destinationOf(name, h.Backends)})
		}
		out.add(Encode(name, routesView(r), routeConfiguration(name, elsewhere, rules...)))
	}
	return out.resources, out.err
}

// routesView is the view of what routes are for: that of their consumers, or that of
// the Service.
func routesView(r model.Routes) string {
	if r.Consumer == "" {
		return ""
	}
	return model.ConsumerView(r.Consumer)
}

// routesTo is an RDS resource that leads everything to the cluster of the same name.
func routesTo(name string) (Resource, error) {
	return Encode(name, "", routeConfiguration(name, elsewhere, everythingTo(name)))
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
	c := routeConfiguration(name, retry, everythingTo(inboundCluster(p.Protocol)))
	c.TypedPerFilterConfig = rules
	c.VirtualHosts[0].Routes = append(refuseForms(p.Access), c.VirtualHosts[0].Routes...)
	return Encode(name, w.View, c)
}

func everythingTo(cluster string) httpRule { return httpRule{to: wholeTo(cluster)} }

// routeConfiguration serves rules, of which the first that matches decides. What
// none matches Envoy answers by 404.
//
// What no application has seen is tried again, and a request that may be served
// twice (RFC 9110, 9.2.2) also where its connection broke before a response. Servers
// end idle connections, and a request that meets such an end is lost through no
// fault of the caller, who would have sent it again on a connection of its own.
func routeConfiguration(name string, retry retryOn, rules ...httpRule) *routev3.RouteConfiguration {
	host := &routev3.VirtualHost{
		Name:    name,
		Domains: []string{"*"},
		// By the virtual host each route has it, for the bytes of one.
		RetryPolicy: retry(retryUnseen),
	}
	for _, r := range rules {
		host.Routes = append(host.Routes, r.routes(retry)...)
	}
	return &routev3.RouteConfiguration{
		Name:             name,
		ValidateClusters: no(),
		VirtualHosts:     []*routev3.VirtualHost{host},
	}
}

// retryUnseen are the failures before a request has left the proxy, or that say that
// it was not looked at. retryBroken are those of a connection that broke, or did not
// answer in time.
const (
	retryUnseen = "connect-failure,refused-stream,reset-before-request"
	retryBroken = "reset"
	retryCodes  = "retriable-status-codes"
)

// defaultAttempts are those beside the first where nothing is said.
const defaultAttempts = 2

// retryOn makes a policy that tries again after failures.
type retryOn func(failures string) *routev3.RetryPolicy

// retry sends a request again to where it was going. The proxy keeps the body
// meanwhile, up to its buffer's limit; a larger one is passed on and not sent again.
func retry(on string) *routev3.RetryPolicy {
	return &routev3.RetryPolicy{RetryOn: on, NumRetries: u32(defaultAttempts)}
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
