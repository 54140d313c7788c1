// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// compiledPolicy is what is the same of a policy for every view. It is made once
// a generation, so that a view costs no more than to look at it.
type compiledPolicy struct {
	rules []rule
	// bytes is about what the rules take at one port in a proxy.
	bytes int
}

func compiledOf(w world.Reader, policy *intent.Access) *compiledPolicy {
	return compiledPolicies.Of(w, policy.Origin.Reference)
}

var compiledPolicies = world.NewDerived(0, func(w world.Reader, origin intent.Reference) *compiledPolicy {
	policy := w.Policy(origin)
	if policy == nil {
		return nil
	}
	return newCompiled(w.Settings().TrustDomain(), policy, w.Exists)
}, nil)

func newCompiled(trustDomain string, policy *intent.Access, exists func(world.Reference) bool) *compiledPolicy {
	out := &compiledPolicy{rules: rules(trustDomain, policy)}
	for i, r := range out.rules {
		// Callers that do not exist count: a workload does not grow too large because
		// of an account that comes back.
		out.bytes += r.bytes()
		if policy.Action != intent.Deny {
			out.rules[i] = r.withoutAbsent(trustDomain, exists)
		}
	}
	return out
}

// itemBytes is about what a message spends on an item beside its strings.
const itemBytes = 32

func (r rule) bytes() int {
	size := itemBytes + len(r.name)
	for _, s := range r.from {
		size += itemBytes
		for _, p := range s.Principals {
			size += itemBytes + len(p.ID)
		}
		for _, b := range s.IPBlocks {
			size += itemBytes * (1 + len(b.Except))
		}
	}
	for _, to := range r.to {
		size += matchBytes(to.Match)
	}
	return size
}

func matchBytes(m model.Match) int {
	size := itemBytes
	for _, method := range m.Methods {
		size += itemBytes + len(method)
	}
	for _, p := range m.Paths {
		size += itemBytes + 2*len(p.Value)
	}
	for _, h := range m.Headers {
		size += itemBytes + len(h.Name) + len(h.Value)
		if h.Type != model.ValueRegularExpression {
			size += othersBytes(len(h.Value))
		}
	}
	for _, h := range m.Hosts {
		size += itemBytes + len(h)
	}
	for _, g := range m.GRPCMethods {
		size += itemBytes + len(g.Service) + len(g.Method)
	}
	return size
}

// othersBytes is what an Allow spends on saying which values are none of a
// header's, whose own has n octets (envoy's othersThan).
func othersBytes(n int) int { return 6*itemBytes + 32*n + n*n/32 }
