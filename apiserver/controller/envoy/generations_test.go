// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

const (
	buyer = "spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer"
	thief = "spiffe://cluster.local/ns/bookthief/sa/bookthief"
)

func from(ids ...string) []model.Source {
	s := model.Source{Authenticated: true}
	for _, id := range ids {
		s.Principals = append(s.Principals, model.Principal{ID: id})
	}
	return []model.Source{s}
}

func rule(from []model.Source, kind model.MatchKind) []model.Rule {
	return []model.Rule{{Name: "ns/policy/0", From: from, To: []model.Match{{Kind: kind}}}}
}

func TestChainIsRenamedWhenAccessNarrows(t *testing.T) {
	open := model.Access{}
	both := model.Access{Closed: true, Allow: rule(from(buyer, thief), model.MatchAny)}
	onlyBuyer := model.Access{Closed: true, Allow: rule(from(buyer), model.MatchAny)}
	namespace := model.Access{Closed: true, Allow: rule([]model.Source{{
		Authenticated: true, Principals: []model.Principal{{ID: "spiffe://cluster.local/ns/bookbuyer/", Prefix: true}},
	}}, model.MatchAny)}
	everybody := model.Access{Closed: true, Allow: rule([]model.Source{{Authenticated: true}}, model.MatchAny)}
	blocked := model.Access{Closed: true, Allow: rule([]model.Source{{
		Authenticated: true, Principals: []model.Principal{{ID: buyer}}, IPBlocks: []model.IPBlock{{CIDR: "198.18.0.0/24"}},
	}}, model.MatchAny)}
	http := model.Access{Closed: true, Allow: rule(from(buyer), model.MatchHTTP)}
	grpc := model.Access{Closed: true, Allow: rule(from(buyer), model.MatchGRPC)}
	denyThief := model.Access{Deny: rule(from(thief), model.MatchAny)}
	denyThiefHTTP := model.Access{Deny: rule(from(thief), model.MatchHTTP)}
	denyAll := model.Access{Deny: rule(nil, model.MatchAny)}
	closed := model.Access{Closed: true}

	for _, c := range []struct {
		name         string
		before, then model.Access
		renamed      bool
	}{
		{"nothing changes", both, both, false},
		{"a port closes", open, closed, true},
		{"a port closes for all but some", open, both, true},
		{"a port opens", onlyBuyer, open, false},
		{"an identity is admitted", onlyBuyer, both, false},
		{"an identity is not admitted any more", both, onlyBuyer, true},
		{"its namespace is admitted instead of an identity", onlyBuyer, namespace, false},
		{"an identity is admitted instead of its namespace", namespace, onlyBuyer, true},
		{"everybody is admitted instead of a namespace", namespace, everybody, false},
		{"an identity is held to addresses", onlyBuyer, blocked, true},
		{"an identity is freed of addresses", blocked, onlyBuyer, false},
		{"requests instead of connections are admitted", onlyBuyer, http, true},
		{"other requests are admitted", http, grpc, false},
		{"an identity is denied", open, denyThief, true},
		{"a denial goes", denyThief, open, false},
		{"a denial of connections becomes one of requests", denyThief, denyThiefHTTP, false},
		{"a denial widens to everybody", denyThief, denyAll, true},
		{"a denial shrinks to an identity", denyAll, denyThief, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := NextGenerations(nil, onePort(c.before))
			then := NextGenerations(before, onePort(c.then))
			if renamed := before[9090].Name != then[9090].Name; renamed != c.renamed {
				t.Errorf("renamed: %t, want %t", renamed, c.renamed)
			}
		})
	}
}

// A chain that kept its name through a widening holds connections that the next
// narrowing refuses, be it to what the chain began with.
func TestEachNarrowingRenamesTheChain(t *testing.T) {
	one := onePort(model.Access{Closed: true, Allow: rule(from(buyer), model.MatchAny)})
	two := onePort(model.Access{Closed: true, Allow: rule(from(buyer, thief), model.MatchAny)})
	chain := NextGenerations(nil, one)
	for range 3 {
		widened := NextGenerations(chain, two)
		if widened[9090].Name != chain[9090].Name {
			t.Error("widening renamed the chain")
		}
		chain = NextGenerations(widened, one)
		if chain[9090].Name == widened[9090].Name {
			t.Error("narrowing kept the chain")
		}
	}
}

func TestPlaintextChainIsRenamedWhenFewerAnonymousCallersMayComeIn(t *testing.T) {
	anonymous := func(blocks ...string) model.Workload {
		s := model.Source{Anonymous: true}
		for _, b := range blocks {
			s.IPBlocks = append(s.IPBlocks, model.IPBlock{CIDR: b})
		}
		return onePort(model.Access{Closed: true, Allow: rule([]model.Source{s, from(buyer)[0]}, model.MatchAny)})
	}
	everybody := NextGenerations(nil, anonymous())
	some := NextGenerations(everybody, anonymous("198.18.1.0/24"))
	more := NextGenerations(some, anonymous("198.18.1.0/24", "198.18.2.0/24"))
	if some[9090].Plaintext == everybody[9090].Plaintext {
		t.Error("fewer addresses, and the chain is kept")
	}
	if more[9090].Plaintext != some[9090].Plaintext {
		t.Error("more addresses, and the chain is renamed")
	}
	if more[9090].Name != everybody[9090].Name {
		t.Error("the chain of meshed callers is renamed by a rule about anonymous ones")
	}
}

// A pod that tightens its access leaves its old chain, whatever that was called.
func TestAnAccessModeOfThePodsOwnNamesAnotherChain(t *testing.T) {
	own := onePort(model.Access{Closed: true})
	others := NextGenerations(nil, own)
	own.Ports[0].PodAccess = model.AccessDefaultDeny
	if NextGenerations(nil, own)[9090].Name == others[9090].Name {
		t.Error("the chain has the name that it has for pods that say nothing")
	}
}

func TestNoAnonymousCallerIsAmongTheNamesOfAHandshake(t *testing.T) {
	a := model.Access{Closed: true, Allow: rule([]model.Source{{Anonymous: true}}, model.MatchAny)}
	if got := handshakeNames(model.Mesh{TrustDomain: "cluster.local"}, a); len(got) != 0 {
		t.Errorf("the handshake admits %v", got)
	}
	if got := anonymousAdmission(a); got != admitsAll {
		t.Errorf("anonymous callers: %v", got)
	}
}

func onePort(a model.Access) model.Workload {
	return model.Workload{View: "0123456789abcdef", Namespace: "bookstore", Ports: []model.InboundPort{{Number: 9090, Access: a}}}
}
