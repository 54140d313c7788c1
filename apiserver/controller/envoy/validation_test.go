// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"slices"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestADenyIsInTheHandshakeWhereItsNamesAllowIt: RBAC behind it looks at the first
// byte, and until then a server that speaks first would be heard.
func TestADenyIsInTheHandshakeWhereItsNamesAllowIt(t *testing.T) {
	const domain, shop = "spiffe://cluster.local/", "spiffe://cluster.local/ns/shop/"
	all := []model.Source{{Authenticated: true}}
	in := func(prefix string) []model.Source {
		return []model.Source{{Authenticated: true, Principals: []model.Principal{{ID: prefix, Prefix: true}}}}
	}
	at := func(sources []model.Source) []model.Source {
		sources[0].IPBlocks = []model.IPBlock{{CIDR: "198.18.1.0/24"}}
		return sources
	}
	admitting := func(sources, denied []model.Source) model.Access {
		return model.Access{Closed: true, Allow: rule(sources, model.MatchTCP), Deny: rule(denied, model.MatchAny)}
	}
	denying := func(denied []model.Source, kind model.MatchKind) model.Access {
		return model.Access{Deny: rule(denied, kind)}
	}
	for name, test := range map[string]struct {
		access model.Access
		want   []string
	}{
		"open":                                   {model.Access{}, []string{domain + "*"}},
		"any caller":                             {denying(nil, model.MatchAny), []string{nobody}},
		"any caller's requests":                  {denying(nil, model.MatchHTTP), []string{nobody}},
		"everybody in the mesh":                  {denying(all, model.MatchTCP), []string{nobody}},
		"the trust domain by its prefix":         {denying(in(domain), model.MatchTCP), []string{nobody}},
		"anonymous callers":                      {denying([]model.Source{{Anonymous: true}}, model.MatchAny), []string{domain + "*"}},
		"another trust domain":                   {denying(in("spiffe://cluster.local.other/"), model.MatchAny), []string{domain + "*"}},
		"an account of all":                      {denying(from(thief), model.MatchAny), []string{domain + "*"}},
		"any caller from some addresses":         {denying(at([]model.Source{{}}), model.MatchAny), []string{domain + "*"}},
		"an account that is admitted":            {admitting(from(buyer, thief), from(thief)), []string{buyer}},
		"the same from some addresses":           {admitting(from(buyer, thief), at(from(thief))), []string{buyer, thief}},
		"an account, admitted at some addresses": {admitting(at(from(thief)), from(thief)), []string{nobody}},
		"the namespace of one that is admitted":  {admitting(from(shop+"sa/a", buyer), in(shop)), []string{buyer}},
		"the same namespace":                     {admitting(in(shop), in(shop)), []string{nobody}},
		"one account of a namespace":             {admitting(in(shop), from(shop+"sa/a")), []string{shop + "*"}},
		"any caller, where one is admitted":      {admitting(from(buyer), nil), []string{nobody}},
		"another account than is admitted":       {admitting(from(buyer), from(thief)), []string{buyer}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, n := range orNobody(handshakeNames(model.Mesh{TrustDomain: "cluster.local"}, test.access)) {
				if prefix := n.GetMatcher().GetPrefix(); prefix != "" {
					got = append(got, prefix+"*")
				} else {
					got = append(got, n.GetMatcher().GetExact())
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("the handshake admits %q, want %q", got, test.want)
			}
		})
	}
}
