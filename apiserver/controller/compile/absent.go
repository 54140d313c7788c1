// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// withoutAbsent leaves out of an Allow's rule the accounts and namespaces of the
// trust domain that do not exist. A certificate outlives its pod and its account:
// whoever has kept one would else be admitted until it expires.
func (r rule) withoutAbsent(trustDomain string, exists func(intent.Reference) bool) rule {
	if r.nobody {
		return r
	}
	absent := func(p model.Principal) bool {
		reference, ok := callerOf(trustDomain, p.ID)
		return ok && !exists(reference)
	}
	var from []model.Source
	for _, s := range r.from {
		if len(s.Principals) > 0 {
			s.Principals = slices.DeleteFunc(slices.Clone(s.Principals), absent)
			// A source that has lost all its principals would speak of every caller.
			if len(s.Principals) == 0 {
				continue
			}
		}
		from = append(from, s)
	}
	r.absent = len(from) == 0 && len(r.from) > 0
	r.nobody = r.absent
	r.from = from
	return r
}

// callerOf is the account or namespace of the trust domain of which a SPIFFE ID, or
// the beginning of some, speaks. Who exists in another trust domain is not known.
func callerOf(trustDomain, id string) (intent.Reference, bool) {
	domain, reference, ok := intent.Identified(id)
	return reference, ok && domain == trustDomain
}

// principalsOf are the accounts and namespaces of which a rule's principals speak.
func principalsOf(trustDomain string, rule *intent.Rule) []intent.Reference {
	var found []intent.Reference
	for _, from := range rule.From {
		for _, p := range from.Principals {
			if reference, ok := callerOf(trustDomain, p.ID); ok {
				found = append(found, reference)
			}
		}
	}
	return found
}
