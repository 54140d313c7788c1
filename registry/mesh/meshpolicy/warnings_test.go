// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// cluster is what exists, as "namespace/name"; unknown: nothing has been read yet.
type cluster struct {
	services, accounts []string
	unknown            bool
}

func (c cluster) ServiceExists(namespace, name string) (exists, known bool) {
	return has(c.services, namespace, name), !c.unknown
}

func (c cluster) ServiceAccountExists(namespace, name string) (exists, known bool) {
	return has(c.accounts, namespace, name), !c.unknown
}

// NamespaceExists holds where an account is.
func (c cluster) NamespaceExists(name string) (exists, known bool) {
	return slices.ContainsFunc(c.accounts, func(account string) bool { return strings.HasPrefix(account, name+"/") }), !c.unknown
}

func has(list []string, namespace, name string) bool {
	for _, one := range list {
		if one == namespace+"/"+name {
			return true
		}
	}
	return false
}

func policyWith(targets []string, sources ...mesh.PolicySource) *mesh.MeshPolicy {
	policy := stored()
	for _, target := range targets {
		policy.Spec.TargetRefs = append(policy.Spec.TargetRefs, mesh.PolicyTargetReference{Kind: "Service", Name: target})
	}
	policy.Spec.Rules[0].From = sources
	return policy
}

func denying(policy *mesh.MeshPolicy) *mesh.MeshPolicy {
	policy.Spec.Action = mesh.PolicyActionDeny
	return policy
}

func TestWarnings(t *testing.T) {
	existing := cluster{services: []string{"bookstore/bookstore", "other/gone"}, accounts: []string{"bookbuyer/bookbuyer", "bookstore/own"}}
	accounts := mesh.PolicySource{ServiceAccounts: []mesh.ServiceAccountReference{
		{Namespace: "bookbuyer", Name: "bookbuyer"}, {Name: "own"}, {Name: "bookbuyer"},
	}}
	for name, test := range map[string]struct {
		policy     *mesh.MeshPolicy
		references References
		want       []string
	}{
		"everything exists": {
			policy:     policyWith([]string{"bookstore"}, mesh.PolicySource{Namespaces: []string{"bookbuyer"}}),
			references: existing,
		},
		"a Service and an account that do not exist": {
			policy:     policyWith([]string{"bookstore", "gone"}, accounts),
			references: existing,
			want: []string{
				`spec.targetRefs[1]: Service "gone" does not exist in namespace "bookstore": until it does, the policy affects nothing by it`,
				`spec.rules[0].from[0].serviceAccounts[2]: ServiceAccount "bookbuyer" does not exist in namespace "bookstore": until it does, no caller is admitted by it`,
			},
		},
		"a namespace that does not exist": {
			policy:     policyWith(nil, mesh.PolicySource{Namespaces: []string{"bookbuyer", "bookbuyr"}}),
			references: existing,
			want:       []string{`spec.rules[0].from[0].namespaces[1]: namespace "bookbuyr" does not exist: until it does, no caller is admitted by it`},
		},
		"a Deny of a namespace that does not exist": {
			policy:     denying(policyWith(nil, mesh.PolicySource{Namespaces: []string{"bookbuyr"}})),
			references: existing,
			want:       []string{`spec.rules[0].from[0].namespaces[0]: namespace "bookbuyr" does not exist: certificates that have outlived it are refused all the same`},
		},
		"nothing has been read yet": {
			policy:     policyWith([]string{"gone"}, accounts),
			references: cluster{unknown: true},
		},
		"nobody tells what exists": {
			policy: policyWith([]string{"gone"}, accounts),
		},
		"an Allow by address alone": {
			policy: policyWith(nil, mesh.PolicySource{IPBlocks: []mesh.IPBlock{{CIDR: "192.0.2.0/24"}}}),
			want: []string{
				"spec.rules[0].from[0]: ipBlocks alone admit no caller from outside the mesh: add anonymous: {} for callers in plaintext",
			},
		},
		"an Allow of callers without an identity, by address": {
			policy: policyWith(nil, mesh.PolicySource{Anonymous: &mesh.Anonymous{}, IPBlocks: []mesh.IPBlock{{CIDR: "192.0.2.0/24"}}}),
		},
		"accounts and namespaces that exclude each other": {
			policy: policyWith(nil, mesh.PolicySource{
				ServiceAccounts: []mesh.ServiceAccountReference{{Name: "own"}}, Namespaces: []string{"bookbuyer"},
			}),
			want: []string{
				"spec.rules[0].from[0]: matches no caller: none of serviceAccounts is in one of namespaces, and both must match; use two items to mean either",
			},
		},
		"an account in one of the namespaces": {
			policy: policyWith(nil, mesh.PolicySource{
				ServiceAccounts: []mesh.ServiceAccountReference{{Name: "own"}}, Namespaces: []string{"bookstore"},
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, warnings(test.policy, test.references)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDenyWarnsOfPathsWithOtherSpellings(t *testing.T) {
	policy := stored()
	policy.Spec.Rules[0].To = []mesh.PolicyDestination{{HTTP: &mesh.HTTPMatch{Paths: []mesh.PathMatch{
		{Type: mesh.PathMatchExact, Value: "/books/1"},
		{Type: mesh.PathMatchPathPrefix, Value: "/a;b"},
		{Type: mesh.PathMatchRegularExpression, Value: "/a(;|%3[Bb])b"},
	}}}}
	if got := warnings(policy, nil); len(got) > 0 {
		t.Errorf("an Allow warns: %q", got)
	}
	policy.Spec.Action = mesh.PolicyActionDeny
	want := []string{`spec.rules[0].to[0].http.paths[1].value: "/a;b" can be written in other ways, such as %3B for ";", which this Deny does not match`}
	if diff := cmp.Diff(want, warnings(policy, nil)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestStarsAreNoPatterns(t *testing.T) {
	policy := stored()
	policy.Spec.Rules[0].To = []mesh.PolicyDestination{{HTTP: &mesh.HTTPMatch{
		Methods: []string{"GET", "*"},
		Paths: []mesh.PathMatch{
			{Type: mesh.PathMatchPathPrefix, Value: "/books/*"},
			{Type: mesh.PathMatchRegularExpression, Value: "/books/.*"},
		},
	}}}
	want := []string{
		`spec.rules[0].to[0].http.methods[1]: "*" is a method of this name, not any method: leave methods out to mean any`,
		`spec.rules[0].to[0].http.paths[0].value: "*" in "/books/*" is compared as it is: to mean all below a path use PathPrefix without it, for patterns RegularExpression`,
	}
	if diff := cmp.Diff(want, warnings(policy, nil)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	var targets []string
	for i := range 12 {
		targets = append(targets, fmt.Sprintf("gone-%d", i))
	}
	got := warnings(policyWith(targets, mesh.PolicySource{Authenticated: &mesh.Authenticated{}}), cluster{})
	if len(got) != 9 || got[8] != "and 4 more warnings" {
		t.Errorf("got %d: %q", len(got), got)
	}
}
