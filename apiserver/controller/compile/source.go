// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// newSource compiles an item of "from". Its fields must all match, so the
// identities that remain are those that every field names; nobody is true if
// there is none.
func newSource(trustDomain string, policy *intent.Access, in *intent.Source) (source model.Source, nobody bool) {
	if in.Anonymous {
		return model.Source{Anonymous: true, IPBlocks: in.IPBlocks}, false
	}
	allow := policy.Action != intent.Deny
	named := identities(trustDomain, in)
	if allow && len(named) == 0 && len(in.IPBlocks) == 0 && !in.Authenticated {
		return model.Source{}, true
	}
	for _, list := range named {
		if source.Principals == nil {
			source.Principals = list
			continue
		}
		if source.Principals = intersect(source.Principals, list); len(source.Principals) == 0 {
			return model.Source{}, true
		}
	}
	source.Principals = normal(source.Principals)
	source.Authenticated = in.Authenticated || allow
	source.OrAnonymous = (in.Authenticated || len(source.Principals) > 0) && !allow && policy.MatchAnonymous
	source.IPBlocks = in.IPBlocks
	return source, false
}

// identities gives a list of principals for each field that is set.
func identities(trustDomain string, in *intent.Source) [][]model.Principal {
	var accounts, namespaces []model.Principal
	for _, account := range in.ServiceAccounts {
		accounts = append(accounts, model.Principal{ID: model.SPIFFEID(trustDomain, account.Namespace, account.Name)})
	}
	for _, namespace := range in.Namespaces {
		namespaces = append(namespaces, model.Principal{ID: model.SPIFFEID(trustDomain, namespace, ""), Prefix: true})
	}
	return slices.DeleteFunc([][]model.Principal{accounts, namespaces, slices.Clone(in.Principals)},
		func(list []model.Principal) bool { return len(list) == 0 })
}

// intersect gives what both lists name.
func intersect(a, b []model.Principal) []model.Principal {
	var both []model.Principal
	for _, p := range a {
		for _, q := range b {
			switch {
			case p == q || covers(q, p):
				both = append(both, p)
			case covers(p, q):
				both = append(both, q)
			}
		}
	}
	return both
}

// covers tells whether every ID that q names begins with p's prefix.
func covers(p, q model.Principal) bool {
	return p.Prefix && strings.HasPrefix(q.ID, p.ID)
}

// normal sorts principals and drops repeats.
func normal(principals []model.Principal) []model.Principal {
	slices.SortFunc(principals, func(a, b model.Principal) int { return strings.Compare(a.ID, b.ID) })
	return slices.Compact(principals)
}
