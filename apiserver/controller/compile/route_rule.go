// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// matched is one match of one rule of a Route.
type matched struct {
	route *intent.Route
	rule  *intent.HTTPRule
	match model.RequestMatch
	rank  specificity
}

// requests are the routes of requests, in the order in which they decide: the most
// specific match, then the oldest Route, then its name, then its order. Of two that
// match the same the later never decides, and is left out.
func (c *routeCompiler) requests(all []*intent.Route) []model.HTTPRoute {
	ordered := c.matches(all)
	slices.SortStableFunc(ordered, func(a, b matched) int { return slices.Compare(b.rank[:], a.rank[:]) })
	var out []model.HTTPRoute
	first := make(map[string]matched, len(ordered))
	made := map[*intent.HTTPRule]model.HTTPRoute{}
	for _, m := range ordered {
		key := matchKey(m.match)
		if winner, taken := first[key]; taken {
			if winner.rule != m.rule {
				c.conflict(m.route, m.rule.Name, winner.route)
			}
			continue
		}
		first[key] = m
		route, known := made[m.rule]
		if !known {
			route = c.request(m.route, m.rule)
			made[m.rule] = route
		}
		route.Match = m.match
		out = append(out, route)
	}
	return out
}

// matches are those of all rules. One that no proxy takes is left out.
func (c *routeCompiler) matches(all []*intent.Route) []matched {
	var out []matched
	for _, r := range all {
		for i := range r.HTTP {
			rule := &r.HTTP[i]
			alternatives := rule.Matches
			if len(alternatives) == 0 {
				alternatives = []model.RequestMatch{{}}
			}
			for _, match := range alternatives {
				if err := checkMatch(match); err != nil {
					c.problem(RouteProblem{Route: r.Origin, Rule: rule.Name, Reason: RouteUnsupportedValue, Message: err.Error()})
					continue
				}
				match = normalMatch(match)
				out = append(out, matched{r, rule, match, specificityOf(match)})
			}
		}
	}
	return out
}

// request is a rule without its match.
func (c *routeCompiler) request(r *intent.Route, rule *intent.HTTPRule) model.HTTPRoute {
	out := model.HTTPRoute{
		Name:     r.Origin.Kind + "/" + r.Origin.Namespace + "/" + r.Origin.Name + "/" + rule.Name,
		Backends: c.backends(r, rule.Name, rule.Backends, c.carriesRequests),
		Timeouts: rule.Timeouts,
		Retry:    rule.Retry,
	}
	for _, m := range rule.Mirrors {
		to := c.backend(r, rule.Name, m.Backend, c.carriesRequests)
		to.Weight = 0
		out.Mirrors = append(out.Mirrors, model.Mirror{Backend: to, PerMillion: m.PerMillion})
	}
	return out
}

// specificity is greater the more specific a match is, number by number as Gateway API
// has it: an exact path, then the longest expression, which Gateway API leaves open,
// then the longest prefix; then one that says the method, then the longest gRPC method,
// the most headers, the most query parameters.
type specificity [6]int

func specificityOf(m model.RequestMatch) specificity {
	const prefix, expression, exact = 0, 1, 2
	sort, length, method, grpcMethod := prefix, 0, 0, 0
	switch {
	case m.Path != nil && m.Path.Type == model.ValueExact:
		sort = exact
	case m.Path != nil && m.Path.Type == model.ValueRegularExpression:
		sort, length = expression, len(m.Path.Value)
	case m.Path != nil:
		length = len(m.Path.Value)
	case m.GRPC == nil:
	case m.GRPC.Type == model.ValueRegularExpression && m.GRPC.Service+m.GRPC.Method != "":
		sort, length, grpcMethod = expression, len("/")+len(m.GRPC.Service), len(m.GRPC.Method)
	case m.GRPC.Service != "" && m.GRPC.Method != "":
		sort = exact
	case m.GRPC.Service != "":
		length = len("/") + len(m.GRPC.Service)
	default:
		grpcMethod = len(m.GRPC.Method)
	}
	if m.Method != "" || m.GRPC != nil {
		method = 1
	}
	return specificity{sort, length, method, grpcMethod, len(m.Headers), len(m.Query)}
}
