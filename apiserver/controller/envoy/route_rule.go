// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// httpRule is a route of the model, with the clusters that have its requests.
type httpRule struct {
	model.HTTPRoute
	to destination
}

// class is a kind of request that a rule treats in a way of its own: each is a
// route of Envoy.
type class struct {
	name string
	// narrow adds to a match what is true of such requests alone.
	narrow func(*routev3.RouteMatch)
	// patient streams may be silent for as long as they like.
	patient bool
	// twice is true of requests that may be served twice.
	twice bool
	// bounded requests end.
	bounded bool
}

var (
	websockets = class{name: "websocket", patient: true, narrow: func(m *routev3.RouteMatch) {
		m.Headers = append(m.Headers, websocket())
	}}
	grpcCalls = class{name: "grpc", patient: true, bounded: true, narrow: func(m *routev3.RouteMatch) {
		m.Grpc = &routev3.RouteMatch_GrpcRouteMatchOptions{}
	}}
	idempotent = class{name: "idempotent", twice: true, bounded: true, narrow: func(m *routev3.RouteMatch) {
		m.Headers = append(m.Headers, headerMatcher(":method", wholly("GET|HEAD|OPTIONS|PUT|DELETE")))
	}}
	// onlyIdempotent is for a match that says the method itself.
	onlyIdempotent = class{name: "idempotent", twice: true, bounded: true, narrow: func(*routev3.RouteMatch) {}}
	others         = class{name: "default", bounded: true, narrow: func(*routev3.RouteMatch) {}}
)

// classesOf are the classes of which a match lets some requests pass, in the order
// in which they are asked.
func classesOf(m model.RequestMatch) []class {
	if m.GRPC != nil {
		return []class{grpcCalls}
	}
	switch m.Method {
	case "":
		return []class{websockets, grpcCalls, idempotent, others}
	case "GET":
		return []class{websockets, onlyIdempotent}
	case "HEAD", "OPTIONS", "PUT", "DELETE":
		return []class{onlyIdempotent}
	case "POST":
		return []class{grpcCalls, others}
	default:
		return []class{others}
	}
}

// routes are those of Envoy that a rule becomes: none if no request can match it.
func (r httpRule) routes(retry retryOn) []*routev3.Route {
	var out []*routev3.Route
	for _, c := range classesOf(r.Match) {
		match, possible := requestMatch(r.Match)
		if !possible {
			return nil
		}
		c.narrow(match)
		out = append(out, route(r.nameOf(c), match, r.action(c, retry)))
	}
	return out
}

func (r httpRule) nameOf(c class) string {
	if r.Name == "" {
		return c.name
	}
	return r.Name + "/" + c.name
}

// action has no timeout but what the rule says. WebSockets and gRPC streams may be
// silent for as long as they like; other streams end when they are idle.
func (r httpRule) action(c class, retry retryOn) *routev3.RouteAction {
	to := &routev3.RouteAction{Timeout: dur(0), RetryPolicy: r.retryPolicy(c, retry)}
	r.to.ofRequests(to)
	if c.bounded {
		to.Timeout = dur(r.Timeouts.Request)
	}
	if r.Timeouts.Idle > 0 {
		to.IdleTimeout = dur(r.Timeouts.Idle)
	} else if c.patient {
		to.IdleTimeout = dur(0)
	}
	for _, m := range r.Mirrors {
		if !m.Backend.Missing && m.PerMillion > 0 {
			to.RequestMirrorPolicies = append(to.RequestMirrorPolicies, mirror(m))
		}
	}
	return to
}

// mirror leaves the Host as it is, by which applications tell sites apart.
func mirror(m model.Mirror) *routev3.RouteAction_RequestMirrorPolicy {
	return &routev3.RouteAction_RequestMirrorPolicy{
		Cluster: ServicePortName(m.Backend.Service, m.Backend.Port),
		RuntimeFraction: &corev3.RuntimeFractionalPercent{
			DefaultValue: &typev3.FractionalPercent{Numerator: m.PerMillion, Denominator: typev3.FractionalPercent_MILLION},
		},
		DisableShadowHostSuffixAppend: true,
	}
}

// maxBackOff is how much longer than the first the last further attempt waits.
const maxBackOff = 10

// retryPolicy is nil where the virtual host's says all.
func (r httpRule) retryPolicy(c class, retry retryOn) *routev3.RetryPolicy {
	asked := model.Retry{Attempts: defaultAttempts}
	if r.Retry != nil {
		asked = *r.Retry
	}
	on := retryUnseen
	if c.twice || c.bounded && asked.Unsafe {
		on += "," + retryBroken
		if len(asked.Codes) > 0 {
			on += "," + retryCodes
		}
	}
	perTry := time.Duration(0)
	if c.bounded {
		perTry = r.Timeouts.BackendRequest
	}
	if r.Retry == nil && perTry == 0 && on == retryUnseen {
		return nil
	}
	policy := retry(on)
	policy.NumRetries = u32(asked.Attempts)
	if len(asked.Codes) > 0 && on != retryUnseen {
		policy.RetriableStatusCodes = slices.Clone(asked.Codes)
	}
	if perTry > 0 {
		policy.PerTryTimeout = dur(perTry)
	}
	if asked.BackOff > 0 {
		policy.RetryBackOff = &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: dur(asked.BackOff),
			MaxInterval:  dur(maxBackOff * asked.BackOff),
		}
	}
	return policy
}

func route(name string, match *routev3.RouteMatch, to *routev3.RouteAction) *routev3.Route {
	return &routev3.Route{Name: name, Match: match, Action: &routev3.Route_Route{Route: to}}
}
