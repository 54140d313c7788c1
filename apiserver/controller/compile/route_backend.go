// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// RouteLookupOf answers from a world, and records what is asked.
func RouteLookupOf(w world.Reader) RouteLookup {
	return RouteLookup{
		Sees: w.Sees,
		Port: func(key intent.Key, number uint16) (model.Protocol, bool) {
			service := w.Service(key)
			if service == nil || len(owned(w, key)) == 0 {
				return "", false
			}
			for _, port := range tcpPorts(service) {
				if uint16(port.Port) == number {
					return calledProtocol(service, port), true
				}
			}
			return "", false
		},
	}
}

// backends gives the shares of a rule's backends. One that cannot be called keeps
// its share, which fails.
func (c *routeCompiler) backends(r *intent.Route, rule string, all []intent.Backend, carries func(model.Protocol) bool) []model.Backend {
	var out []model.Backend
	for _, b := range all {
		out = append(out, c.backend(r, rule, b, carries))
	}
	return out
}

func (c *routeCompiler) backend(r *intent.Route, rule string, b intent.Backend, carries func(model.Protocol) bool) model.Backend {
	reason, message := c.fault(r, b, carries)
	if reason != "" {
		c.problem(RouteProblem{Route: r.Origin, Rule: rule, Reason: reason, Message: message})
	}
	return model.Backend{Service: model.ServiceKey(b.Service), Port: b.Port, Weight: b.Weight, Missing: reason != ""}
}

// fault says why a backend cannot be called, "" if it can. Whether a backend is
// there is not told to a namespace that does not see it.
func (c *routeCompiler) fault(r *intent.Route, b intent.Backend, carries func(model.Protocol) bool) (reason RouteReason, message string) {
	if !c.look.Sees(r.Origin.Namespace, b.Service.Namespace) {
		return RouteRefNotPermitted, fmt.Sprintf("namespace %s does not see the Services of namespace %s", r.Origin.Namespace, b.Service.Namespace)
	}
	protocol, found := c.look.Port(b.Service, b.Port)
	switch {
	case !found:
		return RouteBackendNotFound, fmt.Sprintf("there is no Service %s that has a cluster IP and port %d", b.Service, b.Port)
	case !carries(protocol):
		return RouteUnsupportedProtocol, fmt.Sprintf("port %d of Service %s is %s, and port %d of Service %s is %s",
			b.Port, b.Service, protocol, c.port.Number, c.port.Service, c.port.Protocol)
	default:
		return "", ""
	}
}

// carriesRequests tells whether requests to the port can go to a backend of that
// protocol. The callee's proxy takes for requests what the caller's calls so: of a
// backend that declares nothing, only a caller does that looks at what it carries.
func (c *routeCompiler) carriesRequests(p model.Protocol) bool {
	return p.IsHTTP() || p == model.ProtocolDetect && c.port.Protocol == model.ProtocolDetect
}

// carriesConnections tells whether connections can go to a backend of that protocol:
// its callee's proxy would take them for requests where that is HTTP.
func (c *routeCompiler) carriesConnections(p model.Protocol) bool { return !p.IsHTTP() }
