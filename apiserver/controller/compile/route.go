// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// RoutedPort is a port of a Service that has a cluster IP.
type RoutedPort struct {
	Service  intent.Key
	Number   uint16
	Protocol model.Protocol
}

// Routing is what the Routes of one port come to.
type Routing struct {
	// Routes are sorted by consumer. There are none for callers that no Route is for.
	Routes []model.Routes
	// Problems say what of the Routes does not act as it is written.
	Problems []RouteProblem
}

// RouteProblem is something in a Route that does not act as it is written.
type RouteProblem struct {
	Route intent.Origin
	// Rule is the rule's name, "" for the whole Route.
	Rule   string
	Reason RouteReason
	// Winner is the Route that acts in this one's place, where that is the Reason.
	Winner intent.Origin
	// Message is a sentence for the author, without a full stop.
	Message string
}

// RouteReason is why something does not act, in Gateway API's words where it has one.
type RouteReason string

const (
	// RouteConflicted is of a Route or rule in whose place another acts.
	RouteConflicted RouteReason = "Conflicted"
	// RouteNotAllowed is of a Route whose callers do not see the parent.
	RouteNotAllowed RouteReason = "NotAllowedByListeners"
	// RouteUnsupportedProtocol is of a Route or backend whose port carries other calls.
	RouteUnsupportedProtocol RouteReason = "UnsupportedProtocol"
	// RouteUnsupportedValue is of a match that no proxy takes.
	RouteUnsupportedValue RouteReason = "UnsupportedValue"
	// RouteBackendNotFound is of a backend that is not there.
	RouteBackendNotFound RouteReason = "BackendNotFound"
	// RouteRefNotPermitted is of a backend that the Route's namespace does not see.
	RouteRefNotPermitted RouteReason = "RefNotPermitted"
)

// RouteLookup is what Routes ask of Services.
type RouteLookup struct {
	// Sees tells whether the pods of a namespace see the Services of another.
	Sees func(from, namespace string) bool
	// Port gives what a Service's port carries, false if there is no such port, or
	// none that is called by a cluster IP.
	Port func(service intent.Key, port uint16) (model.Protocol, bool)
}

// Routes gives what the Routes to a port come to. Those of other ports and Services
// are not looked at, and their order does not matter.
func Routes(port RoutedPort, routes []intent.Route, look RouteLookup) Routing {
	c := routeCompiler{port: port, look: look}
	acting := map[string][]*intent.Route{}
	for i := range routes {
		if r := &routes[i]; c.concerns(r) && c.acts(r) {
			consumer := consumerOf(r)
			acting[consumer] = append(acting[consumer], r)
		}
	}
	for _, consumer := range slices.Sorted(maps.Keys(acting)) {
		c.out.Routes = append(c.out.Routes, c.routes(consumer, acting[consumer]))
	}
	slices.SortStableFunc(c.out.Problems, compareProblems)
	return c.out
}

type routeCompiler struct {
	port RoutedPort
	look RouteLookup
	out  Routing
}

func (c *routeCompiler) problem(p RouteProblem) { c.out.Problems = append(c.out.Problems, p) }

func (c *routeCompiler) concerns(r *intent.Route) bool {
	return r.Parent == c.port.Service && (r.Port == 0 || r.Port == c.port.Number)
}

// consumerOf is the namespace of the callers that a Route is for, "" for all callers.
func consumerOf(r *intent.Route) string {
	if r.Origin.Namespace == r.Parent.Namespace {
		return ""
	}
	return r.Origin.Namespace
}

// acts tells whether a Route says something of what the port carries, to callers
// that see the port.
func (c *routeCompiler) acts(r *intent.Route) bool {
	requests := len(r.HTTP) > 0 && c.port.Protocol.MayBeHTTP()
	connections := r.TCP != nil && !c.port.Protocol.IsHTTP()
	switch {
	case !c.look.Sees(r.Origin.Namespace, r.Parent.Namespace):
		c.problem(RouteProblem{Route: r.Origin, Reason: RouteNotAllowed, Message: "namespace " + r.Origin.Namespace + " does not see the Services of namespace " + r.Parent.Namespace})
	case !requests && !connections:
		c.problem(RouteProblem{Route: r.Origin, Reason: RouteUnsupportedProtocol, Message: portName(c.port.Number) + " of Service " + r.Parent.String() + " carries " + string(c.port.Protocol) + ", of which the route says nothing"})
	default:
		return true
	}
	return false
}

// routes are for the callers of one namespace, or for all without their own. Calls
// of a sort that no Route speaks of go to the port itself.
func (c *routeCompiler) routes(consumer string, all []*intent.Route) model.Routes {
	slices.SortFunc(all, compareRoutes)
	all = c.ofFirstRank(all)
	out := model.RoutesToItself(model.ServiceKey(c.port.Service), c.port.Number)
	out.Consumer = consumer
	if slices.ContainsFunc(all, func(r *intent.Route) bool { return len(r.HTTP) > 0 }) {
		out.HTTP = c.requests(all)
	}
	if i := slices.IndexFunc(all, func(r *intent.Route) bool { return r.TCP != nil }); i >= 0 {
		out.TCP = c.connections(all[i:])
	}
	return out
}

// ofFirstRank keeps the Routes of the kinds that own the port.
func (c *routeCompiler) ofFirstRank(all []*intent.Route) []*intent.Route {
	for i, r := range all {
		if r.Rank == all[0].Rank {
			continue
		}
		for _, loser := range all[i:] {
			c.conflict(loser, "", all[0])
		}
		return all[:i]
	}
	return all
}

func (c *routeCompiler) conflict(loser *intent.Route, rule string, winner *intent.Route) {
	c.problem(RouteProblem{
		Route: loser.Origin, Rule: rule, Reason: RouteConflicted, Winner: winner.Origin,
		Message: "for " + portName(c.port.Number) + " of Service " + loser.Parent.String() + " " + winner.Origin.String() + " acts in its place",
	})
}

// connections are where those go: nothing tells them apart, so that the first Route
// decides.
func (c *routeCompiler) connections(all []*intent.Route) []model.Backend {
	for _, loser := range all[1:] {
		if loser.TCP != nil {
			c.conflict(loser, loser.TCP.Name, all[0])
		}
	}
	return c.backends(all[0], all[0].TCP.Name, all[0].TCP.Backends, c.carriesConnections)
}

// compareRoutes puts first what decides: the lowest rank, then the oldest, then the
// name.
func compareRoutes(a, b *intent.Route) int {
	return cmp.Or(
		cmp.Compare(a.Rank, b.Rank),
		a.Created.Compare(b.Created),
		cmp.Compare(a.Origin.Namespace, b.Origin.Namespace),
		cmp.Compare(a.Origin.Name, b.Origin.Name),
		cmp.Compare(a.Origin.Kind, b.Origin.Kind),
		cmp.Compare(a.Port, b.Port),
	)
}

func compareProblems(a, b RouteProblem) int {
	return cmp.Or(
		cmp.Compare(a.Route.Kind, b.Route.Kind),
		cmp.Compare(a.Route.Namespace, b.Route.Namespace),
		cmp.Compare(a.Route.Name, b.Route.Name),
		cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Reason, b.Reason),
		cmp.Compare(a.Message, b.Message),
	)
}
