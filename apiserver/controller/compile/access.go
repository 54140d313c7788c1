// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// access says who may call one port of a view; closed is whether it takes calls
// from nobody where no policy speaks. The policies come by name.
func access(view *world.View, port uint16, closed bool, policies []applied) model.Access {
	out := model.Access{Closed: closed}
	if closed {
		out.ClosedBy = []string{string(model.AccessDefaultDeny)}
	}
	for _, p := range policies {
		if !p.scope.has(port) || p.audits() {
			continue
		}
		// What is not a Deny closes.
		deny := p.policy.Action == intent.Deny
		if !deny {
			out.Closed = true
			out.ClosedBy = append(out.ClosedBy, p.policy.Origin.Key.String())
		}
		for _, r := range p.rules {
			matches := r.at(view, port)
			switch {
			case r.nobody || len(matches) == 0:
			case deny:
				out.Deny = append(out.Deny, model.Rule{Name: r.name, From: r.from, To: matches})
			default:
				out.Allow = append(out.Allow, model.Rule{Name: r.name, From: r.from, To: matches})
			}
		}
	}
	slices.Sort(out.ClosedBy)
	out.Audit = audit(view, port, out, policies)
	return out
}

// at gives what a rule matches at one port of its policy's scope.
func (r rule) at(view *world.View, port uint16) []model.Match {
	var matches []model.Match
	for _, to := range r.to {
		if names(to, view, port) {
			matches = append(matches, to.Match)
		}
	}
	return matches
}

// names tells whether a destination means a port. Without ports it means every
// port in scope.
func names(d intent.Destination, view *world.View, port uint16) bool {
	return len(d.Ports) == 0 || slices.ContainsFunc(d.Ports, func(p intstr.IntOrString) bool {
		number, ok := containerPort(view, p)
		return ok && number == port
	})
}
