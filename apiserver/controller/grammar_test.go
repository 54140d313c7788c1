// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// FuzzMeshPolicyByGrammar makes policies that look like policies: bytes alone
// hardly ever do. The seed chooses their shape, the text stands where users
// write freely.
func FuzzMeshPolicyByGrammar(f *testing.F) {
	for seed, text := range []string{"/books", "", "*", "a.b", "spiffe://cluster.local/ns/a/*", "10.0.0.0/8", `/[a-z]+/\d{1,3}`, "x-user", "GET", "::/0", "/..", "é"} {
		f.Add(uint64(seed), text)
	}
	check := policyCheck(f)
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		data, err := json.Marshal(grammar{chance{rand.New(rand.NewPCG(seed, 0))}, text}.policy())
		if err != nil {
			t.Fatal(err)
		}
		check(t, data)
	})
}

// grammar writes JSON objects in the shape of the API's types.
type grammar struct {
	chance
	text string
}

type object = map[string]any

func (g grammar) policy() object {
	spec := object{"action": g.pick("Allow", "Deny"), "rules": g.list(3, g.rule)}
	g.maybe(spec, "mode", g.pick("Enforce", "Audit"))
	g.maybe(spec, "onAnonymous", g.pick("Match", "Ignore"))
	switch g.IntN(4) {
	case 0:
		spec["targetRefs"] = []any{object{"kind": "Service", "name": g.pick("bookstore", "missing", g.text)}}
	case 1:
		spec["selector"] = object{"matchLabels": object{"app": g.pick("bookstore", "else")}}
	case 2:
		spec["selector"] = object{"matchExpressions": []any{object{"key": "app", "operator": g.pick("Exists", "In", "NotIn"), "values": []any{"bookstore"}}}}
	}
	return object{"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "MeshPolicy", "spec": spec}
}

func (g grammar) rule() any {
	rule := object{}
	g.maybe(rule, "name", g.pick("readers", g.text))
	g.mostly(rule, "from", g.list(3, g.source))
	g.mostly(rule, "to", g.list(3, g.destination))
	return rule
}

func (g grammar) source() any {
	source := object{}
	g.maybe(source, "serviceAccounts", g.list(2, func() any {
		account := object{"name": g.pick("bookbuyer", g.text)}
		g.maybe(account, "namespace", g.pick("bookbuyer", g.text))
		return account
	}))
	g.maybe(source, "namespaces", g.list(2, func() any { return g.pick("bookbuyer", g.text) }))
	g.maybe(source, "principals", g.list(2, func() any { return g.pick("spiffe://cluster.local/ns/a/sa/b", "spiffe://cluster.local/ns/a/*", g.text) }))
	g.maybe(source, "ipBlocks", g.list(2, func() any {
		block := object{"cidr": g.pick("10.0.0.0/8", "2001:db8::/32", g.text)}
		g.maybe(block, "except", []any{g.pick("10.1.0.0/16", g.text)})
		return block
	}))
	switch g.IntN(5) {
	case 0:
		source["authenticated"] = object{}
	case 1:
		source["anonymous"] = object{}
	}
	return source
}

func (g grammar) destination() any {
	to := object{}
	if g.IntN(4) == 0 {
		to["all"] = object{}
		return to
	}
	g.maybe(to, "ports", g.list(2, func() any { return pick[any](g.chance, 14001, "web", 9, g.text) }))
	switch g.IntN(4) {
	case 0:
		to["http"] = g.http()
	case 1:
		method := object{}
		g.mostly(method, "service", g.pick("grpc.health.v1.Health", g.text))
		g.mostly(method, "method", g.pick("Check", g.text))
		to["grpc"] = object{"methods": []any{method}}
	case 2:
		to["tcp"] = object{}
	}
	return to
}

func (g grammar) http() object {
	http := object{}
	g.maybe(http, "methods", g.list(2, func() any { return g.pick("GET", "POST", g.text) }))
	g.mostly(http, "paths", g.list(2, func() any {
		return object{"type": g.pick("Exact", "PathPrefix", "RegularExpression"), "value": g.pick("/books", "/", g.text, "/"+g.text)}
	}))
	g.maybe(http, "headers", g.list(2, func() any {
		return object{"type": g.pick("Exact", "RegularExpression"), "name": g.pick("x-user", g.text), "value": g.pick("alice", g.text)}
	}))
	g.maybe(http, "hosts", g.list(2, func() any { return g.pick("bookstore", "*.example.com", strings.ToLower(g.text)) }))
	return http
}

func (g grammar) pick(values ...string) string { return pick(g.chance, values...) }

func (g grammar) list(most int, item func() any) []any {
	var items []any
	for range g.IntN(most + 1) {
		items = append(items, item())
	}
	return items
}

func (g grammar) maybe(to object, field string, value any) {
	if g.IntN(3) == 0 {
		to[field] = value
	}
}

func (g grammar) mostly(to object, field string, value any) {
	if g.IntN(10) > 0 {
		to[field] = value
	}
}
