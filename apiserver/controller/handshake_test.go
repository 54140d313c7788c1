// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestWhoIsHeardBeforeADenyIsWhomTheHandshakeTakes holds what the condition
// DeniesAtFirstByte says, which compile reckons, to the validation context that
// envoy makes: a rule is named if the handshake takes somebody whom it denies.
func TestWhoIsHeardBeforeADenyIsWhomTheHandshakeTakes(t *testing.T) {
	const domain = "spiffe://cluster.local/"
	callers := []string{domain + "ns/a/sa/x", domain + "ns/a/sa/y", domain + "ns/ab/sa/x", domain + "ns/b/sa/x", "spiffe://other/ns/a/sa/x"}
	principals := [][]model.Principal{nil}
	for _, id := range callers {
		principals = append(principals, []model.Principal{{ID: id}})
	}
	for _, prefix := range []string{"spiffe://", domain, domain + "ns/a/", "spiffe://other/"} {
		principals = append(principals, []model.Principal{{ID: prefix, Prefix: true}})
	}
	principals = append(principals, slices.Concat(principals[1], principals[4]), slices.Concat(principals[2], principals[8]))

	denied := [][]model.Source{
		{{Anonymous: true}}, {{Authenticated: true}}, {{Principals: principals[1], Authenticated: true, OrAnonymous: true}},
	}
	for _, ids := range principals {
		everywhere, there := model.Source{Principals: ids}, model.Source{Principals: ids, IPBlocks: []model.IPBlock{{CIDR: "198.18.1.0/24"}}}
		inA := model.Source{Principals: principals[8]}
		denied = append(denied, []model.Source{everywhere}, []model.Source{there}, []model.Source{everywhere, there}, []model.Source{there, inA})
	}
	said := 0
	for _, one := range principals {
		for _, other := range principals {
			for _, deny := range denied {
				port := model.InboundPort{Number: 5432, Access: model.Access{
					Closed: true, Allow: []model.Rule{allowOf(one), allowOf(other)}, Deny: []model.Rule{{Name: "deny", From: deny, To: []model.Match{{Kind: model.MatchTCP}}}},
				}}
				mesh := model.Mesh{TrustDomain: "cluster.local", CertificateLifetime: 1 << 42}
				takes := handshakeOf(t, mesh, port)
				want := slices.ContainsFunc(callers, func(id string) bool { return takes(id) && denies(deny, id) })
				if got := len(compile.AtFirstByte(mesh.TrustDomain, port)) > 0; got != want {
					t.Errorf("admitted %v and %v, denied %+v: said to be heard is %v, and the handshake takes one who is denied is %v", one, other, deny, got, want)
				}
				if want {
					said++
				}
			}
		}
	}
	if said == 0 {
		t.Error("nobody is heard anywhere")
	}
}

func allowOf(ids []model.Principal) model.Rule {
	return model.Rule{Name: "allow", From: []model.Source{{Principals: ids, Authenticated: true}}, To: []model.Match{{Kind: model.MatchTCP}}}
}

// denies tells whether a caller is denied from some address.
func denies(from []model.Source, id string) bool {
	return slices.ContainsFunc(from, func(s model.Source) bool {
		return !s.Anonymous && (len(s.Principals) == 0 || slices.ContainsFunc(s.Principals, func(p model.Principal) bool {
			return p.ID == id || p.Prefix && strings.HasPrefix(id, p.ID)
		}))
	})
}

// handshakeOf gives whom the port's handshake takes, by the resource that its proxy
// is sent.
func handshakeOf(t *testing.T, mesh model.Mesh, port model.InboundPort) func(id string) bool {
	t.Helper()
	workload := model.Workload{View: strings.Repeat("a", 32), Ports: []model.InboundPort{port, {}}}
	resources, err := envoy.Workload(mesh, workload, []byte("roots"), envoy.NextGenerations(envoy.Generations{}, workload))
	if err != nil {
		t.Fatal(err)
	}
	name := envoy.InboundPortName(workload.View, port.Number)
	for _, r := range resources {
		if r.Name != name {
			continue
		}
		if takes, err := envoytest.Handshake(r.Body); err == nil {
			return takes
		}
	}
	t.Fatalf("no %s among %d resources", name, len(resources))
	return nil
}
