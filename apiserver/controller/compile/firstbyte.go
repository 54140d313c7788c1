// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// firstByte names a port at which a Deny acts on the first byte that a caller
// sends: the handshake of an open port accepts everybody in the mesh, and only
// that of a closed one tells callers apart.
func (rs *Reports) firstByte(policy *v1alpha1.MeshPolicy, affected []reach) string {
	rules := denyingCallers(rs.world, policy)
	if len(rules) == 0 {
		return ""
	}
	for _, r := range affected {
		for _, number := range rs.of(r.view).openTCP {
			if r.scope.has(number) && slices.ContainsFunc(rules, func(rule rule) bool { return len(rule.at(r.view, number)) > 0 }) {
				return portName(number) + " is open and not HTTP: a caller that is denied there hears a server that speaks first until it sends a byte itself; an Allow would close the port"
			}
		}
	}
	return ""
}

// denyingCallers are the rules of a Deny that refuse some callers and not others.
func denyingCallers(w *world.World, policy *v1alpha1.MeshPolicy) []rule {
	if policy.Spec.Action != v1alpha1.PolicyActionDeny {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(compiledOf(w, policy).rules), func(r rule) bool { return len(r.from) == 0 })
}

// closes tells whether a policy lets a port take calls only from those whom an
// Allow admits.
func (p applied) closes(number uint16) bool {
	return p.policy.Spec.Action != v1alpha1.PolicyActionDeny && !p.audits() && p.scope.has(number)
}

func portName(number uint16) string {
	if number == everyOther {
		return "every port that nothing names"
	}
	return fmt.Sprintf("port %d", number)
}
