// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// audit says what the Audit policies of a port would do beside what is
// enforced; nil if there are none.
func audit(view *world.View, port uint16, enforced model.Access, policies []applied) *model.Audit {
	out := model.Audit{Closed: enforced.Closed, Allow: slices.Clone(enforced.Allow)}
	found := false
	for _, p := range policies {
		if !p.scope.has(port) || !p.audits() {
			continue
		}
		found = true
		name := p.policy.Origin.Key.String()
		if p.policy.Action == intent.Deny {
			out.DenyPolicies = append(out.DenyPolicies, name)
			out.Deny = append(out.Deny, p.rulesAt(view, port)...)
			continue
		}
		out.Closed = true
		out.AllowPolicies = append(out.AllowPolicies, name)
		out.Allow = append(out.Allow, p.rulesAt(view, port)...)
	}
	if !found {
		return nil
	}
	slices.Sort(out.DenyPolicies)
	slices.Sort(out.AllowPolicies)
	return &out
}

// rulesAt gives the rules of a policy that say something at a port.
func (p applied) rulesAt(view *world.View, port uint16) []model.Rule {
	var found []model.Rule
	for _, r := range p.rules {
		if matches := r.at(view, port); !r.nobody && len(matches) > 0 {
			found = append(found, model.Rule{Name: r.name, From: r.from, To: matches})
		}
	}
	return found
}
