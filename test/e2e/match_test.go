// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// A call is a request of a caller, and what is to come of it.
type call struct {
	from *cluster.Pod
	// request are the arguments of get, with a path in place of the URL; or
	// "grpc" and a method.
	request []string
	want    string
}

func gets(from *cluster.Pod, want string, request ...string) call { return call{from, request, want} }

// Each case is the one rule of an Allow policy for a server of HTTP and gRPC.
func TestEveryFieldOfAMatchActs(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	const anybody = "from: [{authenticated: {}}]"
	to := func(match string) string { return anybody + "\nto: [" + match + "]" }
	from := func(source string) string { return "from: [" + source + "]\nto: [{all: {}}]" }
	tests := []struct {
		name, rule string
		calls      []call
	}{
		{"all", to("{all: {}}"), []call{gets(buyer, "200", "/"), gets(buyer, "OK", "grpc", "Check")}},
		{"ports by number", to("{ports: [8080]}"), []call{gets(buyer, "200", "/"), gets(buyer, "PermissionDenied", "grpc", "Check")}},
		{"ports by name", to("{ports: [grpc]}"), []call{gets(buyer, "403", "/"), gets(buyer, "OK", "grpc", "Check")}},
		{"methods", to("{http: {methods: [GET, PUT]}}"), []call{
			gets(buyer, "200", "/"), gets(buyer, "200", "--method=PUT", "/"), gets(buyer, "403", "--method=POST", "/"),
		}},
		{"path Exact", to("{http: {paths: [{type: Exact, value: /books}]}}"), []call{
			gets(buyer, "200", "/books"), gets(buyer, "200", "/books?sort=title"), gets(buyer, "403", "/books/1"), gets(buyer, "403", "/Books"),
		}},
		{"path PathPrefix", to("{http: {paths: [{type: PathPrefix, value: /books}]}}"), []call{
			gets(buyer, "200", "/books"), gets(buyer, "200", "/books/1"), gets(buyer, "403", "/books-admin"),
			gets(buyer, "400", "/books/../till"), gets(buyer, "400", "//books"), gets(buyer, "403", "/"),
		}},
		{"path RegularExpression", to(`{http: {paths: [{type: RegularExpression, value: "/books/[0-9]+"}]}}`), []call{
			gets(buyer, "200", "/books/12"), gets(buyer, "403", "/books/12/price"), gets(buyer, "403", "/books/x"),
		}},
		{"header Exact", to("{http: {headers: [{name: X-Team, value: books}]}}"), []call{
			gets(buyer, "200", "--header=x-team: books", "/"), gets(buyer, "403", "--header=x-team: Books", "/"), gets(buyer, "403", "/"),
		}},
		{"header RegularExpression", to(`{http: {headers: [{type: RegularExpression, name: x-team, value: "b.*s"}]}}`), []call{
			gets(buyer, "200", "--header=x-team: books", "/"), gets(buyer, "403", "--header=x-team: books2", "/"),
		}},
		{"headers must all match", to("{http: {headers: [{name: x-a, value: a}, {name: x-b, value: b}]}}"), []call{
			gets(buyer, "200", "--header=x-a: a", "--header=x-b: b", "/"), gets(buyer, "403", "--header=x-a: a", "/"),
		}},
		{"hosts", to(`{http: {hosts: [books.example.com, "*.shop.example.com"]}}`), []call{
			gets(buyer, "200", "--host=books.example.com", "/"), gets(buyer, "200", "--host=Books.Example.com:80", "/"),
			gets(buyer, "200", "--host=a.b.shop.example.com", "/"), gets(buyer, "403", "--host=shop.example.com", "/"), gets(buyer, "403", "/"),
		}},
		{"gRPC service", to("{grpc: {methods: [{service: grpc.health.v1.Health}]}}"), []call{
			gets(buyer, "OK", "grpc", "Check"), gets(buyer, "OK", "grpc", "List"), gets(buyer, "403", "/grpc.health.v1.Health/Check"),
		}},
		{"gRPC method of a service", to("{grpc: {methods: [{service: grpc.health.v1.Health, method: List}]}}"), []call{
			gets(buyer, "OK", "grpc", "List"), gets(buyer, "PermissionDenied", "grpc", "Check"),
		}},
		{"gRPC method of any service", to("{grpc: {methods: [{method: Check}]}}"), []call{
			gets(buyer, "OK", "grpc", "Check"), gets(buyer, "PermissionDenied", "grpc", "List"),
		}},
		{"tcp admits no request", to("{tcp: {}}"), []call{gets(buyer, "403", "/"), gets(buyer, "PermissionDenied", "grpc", "Check")}},
		{"serviceAccounts", from(fmt.Sprintf("{serviceAccounts: [{namespace: %s, name: %s}]}", thief.Namespace, thief.Account)), []call{
			gets(thief, "200", "/"), gets(buyer, "403", "/"),
		}},
		{"serviceAccounts of the policy's own namespace", from("{serviceAccounts: [{name: shop}]}"), []call{
			gets(shop.Pod, "200", "/"), gets(buyer, "403", "/"),
		}},
		{"namespaces", from(fmt.Sprintf("{namespaces: [%s]}", buyer.Namespace)), []call{gets(buyer, "200", "/"), gets(thief, "403", "/")}},
		{"principals", from(fmt.Sprintf(`{principals: ["spiffe://cluster.local/ns/%s/sa/%s"]}`, thief.Namespace, thief.Account)), []call{
			gets(thief, "200", "/"), gets(buyer, "403", "/"),
		}},
		{"principals by prefix", from(fmt.Sprintf(`{principals: ["spiffe://cluster.local/ns/%s/*"]}`, buyer.Namespace)), []call{
			gets(buyer, "200", "/"), gets(thief, "403", "/"),
		}},
		{"ipBlocks", from(fmt.Sprintf("{ipBlocks: [{cidr: %s/32}]}", buyer.IP)), []call{
			gets(buyer, "200", "/"), gets(thief, "403", "/"), gets(thief, "403", "--header=X-Forwarded-For: "+buyer.IP, "/"),
		}},
		{"ipBlocks but some", from(fmt.Sprintf("{ipBlocks: [{cidr: 0.0.0.0/0, except: [%s/32]}]}", thief.IP)), []call{
			gets(buyer, "200", "/"), gets(thief, "403", "/"),
		}},
		{"all fields of an item", from(fmt.Sprintf("{namespaces: [%s], ipBlocks: [{cidr: %s/32}]}", buyer.Namespace, thief.IP)), []call{
			gets(buyer, "403", "/"), gets(thief, "403", "/"),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			live.Policy(t, shop.Namespace, "match", policyOf(tt.rule))
			for _, c := range tt.calls {
				wantCall(t, shop, c)
			}
		})
	}
}

// policyOf is the spec of an Allow policy of this one rule.
func policyOf(rule string) string {
	return "targetRefs: [{kind: Service, name: shop}]\naction: Allow\nrules:\n- " + strings.ReplaceAll(rule, "\n", "\n  ")
}

func wantCall(t *testing.T, shop *cluster.Shop, c call) {
	t.Helper()
	if c.request[0] != "grpc" {
		args := append([]string{}, c.request...)
		args[len(args)-1] = shop.URL(args[len(args)-1])
		wantGet(t, c.from, c.want, args...)
		return
	}
	await.State(t, soon, func() (string, bool) {
		got := c.from.GRPC(t.Context(), shop.GRPCAddress(), c.request[1])
		return fmt.Sprintf("%s calls %s: got %s, want %s", c.from.Name, c.request[1], got, c.want), got == c.want
	})
}
