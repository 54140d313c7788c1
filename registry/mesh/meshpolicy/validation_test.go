// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
)

const system = "mesh-system"

// create sends a policy with this spec, and gives the error.
func create(t *testing.T, spec string) error {
	t.Helper()
	return createIn(t, "bookstore", spec)
}

func createIn(t *testing.T, namespace, spec string) error {
	t.Helper()
	obj := registrytest.Decode(t, fmt.Sprintf(`{
		"apiVersion": "mesh.openservicemesh.io/v1alpha1", "kind": "MeshPolicy",
		"metadata": {"name": "readers", "namespace": %q}, "spec": %s}`, namespace, spec))
	ctx := registrytest.Context(t, obj, "meshpolicies", "")
	return registrytest.Create(ctx, t, Kind(system, nil).Strategy(scheme.Scheme), obj)
}

// allow is the spec of an Allow with one rule.
func allow(from, to string) string {
	return fmt.Sprintf(`{"action": "Allow", "rules": [{"from": %s, "to": %s}]}`, from, to)
}

const (
	everybody  = `[{"authenticated": {}}]`
	everything = `[{"all": {}}]`
)

func TestValidPolicies(t *testing.T) {
	for name, spec := range map[string]string{
		"everybody in the mesh may call everything": allow(everybody, everything),
		"the readers of the bookstore": `{
			"targetRefs": [{"kind": "Service", "name": "bookstore"}],
			"action": "Allow", "mode": "Enforce",
			"rules": [{
				"name": "read",
				"from": [{"serviceAccounts": [{"namespace": "bookbuyer", "name": "bookbuyer"}]}],
				"to": [{"ports": [14001], "http": {"methods": ["GET"], "paths": [{"type": "PathPrefix", "value": "/books"}]}}]
			}]}`,
		"a selector": `{
			"selector": {"matchLabels": {"app": "bookstore"}, "matchExpressions": [{"key": "version", "operator": "In", "values": ["v1", "v2"]}]},
			"action": "Allow", "rules": [{"from": [{"authenticated": {}}], "to": [{"all": {}}]}]}`,
		"a Deny of any caller to every port of the target": `{"action": "Deny", "rules": [{"name": "nobody"}]}`,
		"a Deny of paths to any caller": `{"action": "Deny", "rules": [{
			"to": [{"http": {"paths": [{"type": "Exact", "value": "/admin"}, {"type": "RegularExpression", "value": "/v[0-9]+/admin/.*"}]}}]}]}`,
		"every kind of source": allow(`[
			{"serviceAccounts": [{"name": "own"}, {"namespace": "other", "name": "with.dots"}]},
			{"namespaces": ["bookbuyer"]},
			{"principals": ["spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer", "spiffe://cluster.local/ns/a/*", "spiffe://other_domain.example/*"]},
			{"authenticated": {}, "ipBlocks": [{"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]}, {"cidr": "2001:db8::/32"}, {"cidr": "0.0.0.0/0"}]}]`, everything),
		"every kind of destination": allow(everybody, `[
			{"ports": [80, "http-web"]},
			{"ports": [14001], "tcp": {}},
			{"grpc": {"methods": [{"service": "example.v1.Greeter", "method": "SayHello"}, {"service": "example.v1.Greeter"}, {"method": "Check"}]}},
			{"http": {"methods": ["GET", "M-SEARCH"]}},
			{"http": {"hosts": ["bookstore.example.com", "*.Example.com", "192.0.2.1"]}},
			{"http": {"headers": [{"name": "X-Canary", "value": "yes"}, {"type": "RegularExpression", "name": "user-agent", "value": "curl/.*"}]}}]`),
		"paths that normalisation leaves as they are": allow(everybody, `[{"http": {"paths": [
			{"value": "/"}, {"value": "/books/"}, {"value": "/a.b/.well-known/...x"}, {"value": "/caf%C3%A9"}, {"value": "/a%20b"}, {"value": "/x;v=1,2"}, {"type": "Exact", "value": "/%3Cid%3E"}]}}]`),
	} {
		t.Run(name, func(t *testing.T) {
			registrytest.ExpectCauses(t, create(t, spec))
		})
	}
}

func TestInvalidPolicies(t *testing.T) {
	for name, test := range map[string]struct {
		spec  string
		wants []string
	}{
		"nothing said": {`{}`, []string{
			"spec.action: must be Allow or Deny", "spec.rules: must hold a rule"}},
		"an unknown action": {`{"action": "Log", "rules": [{}]}`, []string{
			`spec.action: Unsupported value: "Log": supported values: "Allow", "Deny"`}},
		"an Allow that says neither who nor what": {`{"action": "Allow", "rules": [{"name": "all"}]}`, []string{
			"spec.rules[0].from: everybody in the mesh is [{authenticated: {}}]",
			"spec.rules[0].to: everything is [{all: {}}]"}},
		"an Allow with empty lists": {allow(`[]`, `[]`), []string{
			"spec.rules[0].from: Required value", "spec.rules[0].to: Required value"}},
		"a Deny with empty lists that are seen": {`{"action": "Deny", "rules": [{"from": [], "to": []}]}`, []string{
			"spec.rules[0].from: must not be an empty list: leave it out to mean any caller",
			"spec.rules[0].to: must not be an empty list: leave it out to mean every port of the target"}},
		"no rules": {`{"action": "Deny", "rules": []}`, []string{"spec.rules: must hold a rule"}},
		"too many rules": {`{"action": "Deny", "rules": [` + strings.Repeat(`{},`, 64) + `{}]}`, []string{
			"spec.rules: must have at most 64 items"}},
		"two rules of one name": {`{"action": "Deny", "rules": [{"name": "a"}, {"name": "a"}]}`, []string{
			`spec.rules[1].name: Duplicate value: "a"`}},
		"a rule named like an index": {`{"action": "Deny", "rules": [{"name": "12"}]}`, []string{
			"spec.rules[0].name: must not be digits alone"}},
		"a rule name that is no label": {`{"action": "Deny", "rules": [{"name": "No_Label"}]}`, []string{
			"spec.rules[0].name: Invalid value"}},

		"a mode that is none": {`{"action": "Deny", "mode": "Watch", "rules": [{}]}`, []string{
			`spec.mode: Unsupported value: "Watch": supported values: "Audit", "Enforce"`}},
		"an unknown mode": {`{"action": "Deny", "mode": "Log", "rules": [{}]}`, []string{
			`spec.mode: Unsupported value: "Log"`}},
		"onAnonymous in an Allow": {`{"action": "Allow", "onAnonymous": "Match", "rules": [{"from": [{"authenticated": {}}], "to": [{"all": {}}]}]}`, []string{
			"spec.onAnonymous: must be left out unless action is Deny"}},
		"an unknown onAnonymous": {`{"action": "Deny", "onAnonymous": "Guess", "rules": [{}]}`, []string{
			`spec.onAnonymous: Unsupported value: "Guess": supported values: "Ignore", "Match"`}},
		"a caller with an identity and without": {allow(`[{"anonymous": {}, "authenticated": {}}, {"anonymous": {}, "namespaces": ["a"]}]`, everything), []string{
			"spec.rules[0].from[0].anonymous: must be left out beside serviceAccounts, namespaces, principals and authenticated",
			"spec.rules[0].from[1].anonymous: must be left out beside"}},

		"targetRefs and selector": {`{"action": "Deny", "rules": [{}],
			"targetRefs": [{"kind": "Service", "name": "a"}], "selector": {"matchLabels": {"a": "b"}}}`, []string{
			"spec.selector: must be left out where targetRefs is set"}},
		"an empty selector": {`{"action": "Deny", "rules": [{}], "selector": {}}`, []string{
			"spec.selector: leave selector out to mean every workload of the namespace"}},
		"a selector with a bad label": {`{"action": "Deny", "rules": [{}], "selector": {"matchLabels": {"a": "not a label"}}}`, []string{
			"spec.selector.matchLabels: Invalid value"}},
		"a target that is no Service": {`{"action": "Deny", "rules": [{}], "targetRefs": [{"group": "apps", "kind": "Deployment", "name": "a"}]}`, []string{
			`spec.targetRefs[0].group: Unsupported value: "apps"`, `spec.targetRefs[0].kind: supported values: "Service"`}},
		"a target without a name": {`{"action": "Deny", "rules": [{}], "targetRefs": [{"kind": "Service"}]}`, []string{
			"spec.targetRefs[0].name: Required value"}},
		"a target named twice": {`{"action": "Deny", "rules": [{}], "targetRefs": [{"kind": "Service", "name": "a"}, {"kind": "Service", "name": "a"}]}`, []string{
			`spec.targetRefs[1]: Duplicate value: "a"`}},
		"no target in a list that is seen": {`{"action": "Deny", "rules": [{}], "targetRefs": []}`, []string{
			"spec.targetRefs: leave it out to mean the whole namespace"}},

		"a source without a field": {allow(`[{}]`, everything), []string{
			"spec.rules[0].from[0]: must set serviceAccounts, namespaces, principals, ipBlocks, authenticated or anonymous"}},
		"a source with empty lists that are seen": {allow(`[{"serviceAccounts": [], "namespaces": [], "principals": [], "ipBlocks": []}]`, everything), []string{
			"spec.rules[0].from[0].serviceAccounts: Required value", "spec.rules[0].from[0].namespaces: Required value",
			"spec.rules[0].from[0].principals: Required value", "spec.rules[0].from[0].ipBlocks: Required value"}},
		"an empty list beside a full one": {allow(`[{"authenticated": {}, "namespaces": []}]`, everything), []string{
			"spec.rules[0].from[0].namespaces: Required value"}},
		"an account without a name": {allow(`[{"serviceAccounts": [{"namespace": "a"}]}]`, everything), []string{
			"spec.rules[0].from[0].serviceAccounts[0].name: Required value"}},
		"a namespace that is no name": {allow(`[{"namespaces": ["*"]}]`, everything), []string{
			"spec.rules[0].from[0].namespaces[0]: Invalid value"}},
		"principals": {allow(`[{"principals": ["cluster.local/ns/a/sa/b", "spiffe://Cluster.local/a", "spiffe://a", "spiffe://a/", "spiffe://a/b/*/c", "spiffe://a/../b", "spiffe://a/b*", "*"]}]`, everything), []string{
			"spec.rules[0].from[0].principals[0]: must be a SPIFFE ID", "spec.rules[0].from[0].principals[1]: trust domain",
			"spec.rules[0].from[0].principals[2]: must have a path", "spec.rules[0].from[0].principals[3]: path segments",
			"spec.rules[0].from[0].principals[4]: path segments", "spec.rules[0].from[0].principals[5]: path segments",
			"spec.rules[0].from[0].principals[6]: path segments", "spec.rules[0].from[0].principals[7]: must be a SPIFFE ID"}},
		"ranges of addresses": {allow(`[{"ipBlocks": [{"cidr": "192.0.2.1/24"}, {"cidr": "192.0.2.1"}, {"cidr": "::ffff:192.0.2.0/120"}, {"cidr": "2001:DB8::/32"},
			{"cidr": "192.0.2.0/24", "except": ["198.51.100.0/25", "192.0.2.0/24", "192.0.2.129/25"]}, {"except": ["192.0.2.0/24"]}]}]`, everything), []string{
			`spec.rules[0].from[0].ipBlocks[0].cidr: must be in canonical form: "192.0.2.0/24"`,
			`spec.rules[0].from[0].ipBlocks[1].cidr: must be a range such as`,
			`spec.rules[0].from[0].ipBlocks[2].cidr: must not be an IPv4 address written as IPv6`,
			`spec.rules[0].from[0].ipBlocks[3].cidr: must be in canonical form: "2001:db8::/32"`,
			`spec.rules[0].from[0].ipBlocks[4].except[0]: must be inside 192.0.2.0/24 and smaller`,
			`spec.rules[0].from[0].ipBlocks[4].except[1]: must be inside 192.0.2.0/24 and smaller`,
			`spec.rules[0].from[0].ipBlocks[4].except[2]: must be in canonical form: "192.0.2.128/25"`,
			`spec.rules[0].from[0].ipBlocks[5].cidr: Required value`}},

		"a destination without a field": {allow(everybody, `[{}]`), []string{
			"spec.rules[0].to[0]: must set all, or ports, http, grpc or tcp"}},
		"all beside others": {allow(everybody, `[{"all": {}, "ports": [80]}, {"all": {}, "tcp": {}}]`), []string{
			"spec.rules[0].to[0].all: must stand alone", "spec.rules[0].to[1].all: must stand alone"}},
		"two protocols": {allow(everybody, `[{"http": {"methods": ["GET"]}, "tcp": {}}]`), []string{
			"spec.rules[0].to[0].tcp: must not be set beside http"}},
		"ports": {allow(everybody, `[{"ports": [0, 65536, "Web", 80, 80]}, {"ports": []}]`), []string{
			"spec.rules[0].to[0].ports[0]: must be between 1 and 65535", "spec.rules[0].to[0].ports[1]: must be between 1 and 65535",
			"spec.rules[0].to[0].ports[2]: must contain only", `spec.rules[0].to[0].ports[4]: Duplicate value: "80"`,
			"spec.rules[0].to[1].ports: leave it out to mean every port of the target"}},
		"http and grpc that say nothing": {allow(everybody, `[{"http": {}}, {"grpc": {}}, {"grpc": {"methods": [{}]}}, {"http": {"methods": [], "hosts": []}}]`), []string{
			"spec.rules[0].to[0].http: must set methods, paths, headers or hosts", "spec.rules[0].to[1].grpc.methods: Required value",
			"spec.rules[0].to[2].grpc.methods[0]: must set service, method or both",
			"spec.rules[0].to[3].http.methods: Required value", "spec.rules[0].to[3].http.hosts: Required value"}},
		"grpc methods": {allow(everybody, `[{"grpc": {"methods": [{"service": "a.B/C"}, {"service": ".a.B"}, {"method": "a.B"}]}}]`), []string{
			"spec.rules[0].to[0].grpc.methods[0].service: the method has a field of its own",
			"spec.rules[0].to[0].grpc.methods[1].service: must be a full name", "spec.rules[0].to[0].grpc.methods[2].method: must be a method's name"}},
		"http methods": {allow(everybody, `[{"http": {"methods": ["get", "GET POST", ""]}}]`), []string{
			"spec.rules[0].to[0].http.methods[0]: must be an HTTP method in upper case", "spec.rules[0].to[0].http.methods[1]: must be an HTTP method",
			"spec.rules[0].to[0].http.methods[2]: must be an HTTP method"}},
		"hosts": {allow(everybody, `[{"http": {"hosts": ["a.example:8080", "*", "a.*.example", "*a.example", "a_b"]}}]`), []string{
			`spec.rules[0].to[0].http.hosts[0]: must not have a port: "a.example" matches every port`,
			"spec.rules[0].to[0].http.hosts[1]: must be a DNS name", "spec.rules[0].to[0].http.hosts[2]: must be a DNS name",
			"spec.rules[0].to[0].http.hosts[3]: must be a DNS name", "spec.rules[0].to[0].http.hosts[4]: must be a DNS name"}},
		"headers": {allow(everybody, `[{"http": {"headers": [{"name": "Host", "value": "a"}, {"name": ":path", "value": "a"}, {"name": "a b", "value": "a"}, {"name": "a"},
			{"name": "a", "value": " a"}, {"type": "RegularExpression", "name": "a", "value": "("}, {"type": "Prefix", "name": "a", "value": "a"}]}}]`), []string{
			"spec.rules[0].to[0].http.headers[0].name: use hosts", "spec.rules[0].to[0].http.headers[1].name: use paths",
			"spec.rules[0].to[0].http.headers[2].name: must be a header's name", "spec.rules[0].to[0].http.headers[3].value: Required value",
			"spec.rules[0].to[0].http.headers[4].value: must not begin or end with a space",
			"spec.rules[0].to[0].http.headers[5].value: must be a regular expression (RE2)", "spec.rules[0].to[0].http.headers[6].type: Unsupported value"}},
		"paths that no request has after normalisation": {allow(everybody, `[{"http": {"paths": [{"value": "books"}, {"value": "/a?b"}, {"value": "/a//b"}, {"value": "/a/../b"},
			{"value": "/a/."}, {"value": "/a%2Fb"}, {"value": "/a%5cb"}, {"value": "/%41"}, {"value": "/a b"}, {"value": "/%zz"}, {"type": "Exact", "value": "/a#b"}, {"value": ""}, {"value": "/a\\b"}]}}]`), []string{
			`spec.rules[0].to[0].http.paths[0].value: must begin with "/"`, "spec.rules[0].to[0].http.paths[1].value: query",
			`spec.rules[0].to[0].http.paths[2].value: must not hold "//"`, `spec.rules[0].to[0].http.paths[3].value: must not hold "." or ".."`,
			`spec.rules[0].to[0].http.paths[4].value: must not hold "." or ".."`, "spec.rules[0].to[0].http.paths[5].value: must not hold %2F",
			"spec.rules[0].to[0].http.paths[6].value: must not hold %5c", "spec.rules[0].to[0].http.paths[7].value: must not hold %41: write the character itself",
			"spec.rules[0].to[0].http.paths[8].value: are written as %XX", "spec.rules[0].to[0].http.paths[9].value: are written as %XX",
			"spec.rules[0].to[0].http.paths[10].value: fragment", "spec.rules[0].to[0].http.paths[11].value: Required value",
			"spec.rules[0].to[0].http.paths[12].value: must not hold a backslash"}},
		"regular expressions": {allow(everybody, `[{"http": {"paths": [{"type": "RegularExpression", "value": "(?=a)"}, {"type": "RegularExpression", "value": "((a{100}){100}){100}"},
			{"type": "RegularExpression", "value": "`+strings.Repeat(`[a-z]{900}`, 3)+`"}]}}]`), []string{
			"spec.rules[0].to[0].http.paths[0].value: must be a regular expression (RE2)", "spec.rules[0].to[0].http.paths[1].value: must be a regular expression (RE2)",
			"spec.rules[0].to[0].http.paths[2].value: must be a smaller regular expression"}},
		"more ports than 64 in all": {allow(everybody, `[{"ports": [`+numbers(1, 32)+`]}, {"ports": [`+numbers(33, 32)+`]}, {"ports": [1, 65]}]`), []string{
			"spec.rules: must name at most 64 different ports in all"}},
		"more items than 4096 by the weight of expressions": {allow(everybody, `[`+strings.Repeat(`{"http": {"paths": [`+strings.Repeat(`{"type": "RegularExpression", "value": "/a"}, `, 31)+`{"value": "/"}]}}, `, 9)+`{"tcp": {}}]`), []string{
			"spec.rules: must hold at most 4096 items in all lists of from and to together"}},
		"strings that are too long": {allow(`[{"principals": ["spiffe://a/`+strings.Repeat("a", 2048)+`"]}]`, `[{"http": {"paths": [{"value": "/`+strings.Repeat("a", 1024)+`"}]}}]`), []string{
			"spec.rules[0].from[0].principals[0]: may not be more than 2048 bytes", "spec.rules[0].to[0].http.paths[0].value: may not be more than 1024 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			registrytest.ExpectCauses(t, create(t, test.spec), test.wants...)
		})
	}
}

// numbers gives n numbers from the first, with commas between.
func numbers(first, n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(first+i))
	}
	return strings.Join(all, ", ")
}

func TestAdministratorsPolicySaysNothingOfItsOwnNamespace(t *testing.T) {
	registrytest.ExpectCauses(t, createIn(t, system, allow(everybody, everything)))
	registrytest.ExpectCauses(t, createIn(t, system, allow(`[{"serviceAccounts": [{"name": "a"}, {"namespace": "b", "name": "a"}]}]`, everything)),
		`spec.rules[0].from[0].serviceAccounts[0].namespace: a policy in the mesh's system namespace applies to every namespace`)
}
