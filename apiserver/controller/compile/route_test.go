// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// theShop has Services in namespace shop, each of a protocol at port 80. Namespace
// hidden is seen by itself alone.
var theShop = compile.RouteLookup{
	Sees: func(from, namespace string) bool { return namespace != "hidden" || from == namespace },
	Port: func(service intent.Key, port uint16) (model.Protocol, bool) {
		protocol, found := map[string]model.Protocol{
			"web": model.ProtocolHTTP1, "v1": model.ProtocolHTTP1, "v2": model.ProtocolHTTP2, "grpc": model.ProtocolGRPC,
			"undeclared": model.ProtocolDetect, "db": model.ProtocolTCP, "db-2": model.ProtocolTCP,
		}[service.Name]
		return protocol, found && port == 80
	},
}

func portOf(service string) compile.RoutedPort {
	protocol, _ := theShop.Port(intent.Key{Name: service}, 80)
	return compile.RoutedPort{Service: intent.Key{Namespace: "shop", Name: service}, Number: 80, Protocol: protocol}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// routeOf is a MeshRoute to Service shop/web, made so many seconds after the first.
func routeOf(namespace, name string, age int, rules ...intent.HTTPRule) intent.Route {
	for i := range rules {
		rules[i].Name = fmt.Sprint(i)
	}
	return intent.Route{
		Origin:  intent.Origin{Reference: intent.Reference{Kind: "MeshRoute", Key: intent.Key{Namespace: namespace, Name: name}}},
		Created: epoch.Add(time.Duration(age) * time.Second),
		Rank:    intent.RankMeshRoute,
		Parent:  intent.Key{Namespace: "shop", Name: "web"},
		HTTP:    rules,
	}
}

func backendOf(name string, weight uint32) intent.Backend {
	return intent.Backend{Service: intent.Key{Namespace: "shop", Name: name}, Port: 80, Weight: weight}
}

func ruleTo(backend string, matches ...model.RequestMatch) intent.HTTPRule {
	return intent.HTTPRule{Matches: matches, Backends: []intent.Backend{backendOf(backend, 1)}}
}

func onPath(kind model.ValueMatch, value string) model.RequestMatch {
	return model.RequestMatch{Path: &model.PathMatch{Type: kind, Value: value}}
}

// TestRoutesDecideInGatewayAPIsOrder: the most specific match, then the oldest
// Route, then its name, then the order of its rules; however they come.
func TestRoutesDecideInGatewayAPIsOrder(t *testing.T) {
	header := func(names ...string) (out []model.HeaderMatch) {
		for _, name := range names {
			out = append(out, model.HeaderMatch{Type: model.ValueExact, Name: name, Value: "1"})
		}
		return out
	}
	query := func(names ...string) (out []model.QueryMatch) {
		for _, name := range names {
			out = append(out, model.QueryMatch{Type: model.ValueExact, Name: name, Value: "1"})
		}
		return out
	}
	exact, prefix, expression := model.ValueExact, model.ValuePathPrefix, model.ValueRegularExpression
	both := func(m model.RequestMatch, more model.RequestMatch) model.RequestMatch {
		more.Path, more.GRPC = m.Path, m.GRPC
		return more
	}
	// Each is the rule of a Route; the first is the most specific.
	want := []struct {
		route string
		age   int
		match model.RequestMatch
	}{
		{"exact-with-method", 9, both(onPath(exact, "/a"), model.RequestMatch{Method: "GET"})},
		{"exact-with-headers", 9, both(onPath(exact, "/a"), model.RequestMatch{Headers: header("x", "y")})},
		{"exact-with-header", 9, both(onPath(exact, "/a"), model.RequestMatch{Headers: header("x"), Query: query("a", "b")})},
		{"exact-oldest", 1, onPath(exact, "/b")},
		{"exact-a", 2, onPath(exact, "/c")},
		{"exact-b", 2, onPath(exact, "/d")},
		{"exact-younger", 3, onPath(exact, "/a")},
		{"long-expression", 9, onPath(expression, "/a/[b-z]+")},
		{"expression", 1, onPath(expression, "/a.*")},
		{"long-prefix", 9, onPath(prefix, "/a/b")},
		{"prefix-with-method", 9, both(onPath(prefix, "/a"), model.RequestMatch{Method: "GET"})},
		{"prefix-with-query", 9, both(onPath(prefix, "/a"), model.RequestMatch{Query: query("a")})},
		{"prefix", 1, onPath(prefix, "/a/")},
		{"grpc-method", 9, model.RequestMatch{GRPC: &model.GRPCMatch{Type: exact, Method: "Get"}}},
		{"grpc", 1, model.RequestMatch{GRPC: &model.GRPCMatch{Type: exact}}},
		{"headers", 9, model.RequestMatch{Headers: header("x", "y")}},
		{"header", 9, model.RequestMatch{Headers: header("x")}},
		{"anything", 1, onPath(prefix, "/")},
	}
	var routes []intent.Route
	var names []string
	for _, w := range want {
		routes = append(routes, routeOf("shop", w.route, w.age, ruleTo("v1", w.match)))
		names = append(names, "MeshRoute/shop/"+w.route+"/0")
	}
	for range 20 {
		rand.Shuffle(len(routes), func(i, j int) { routes[i], routes[j] = routes[j], routes[i] })
		got := compile.Routes(portOf("web"), routes, theShop)
		if len(got.Routes) != 1 || got.Routes[0].Consumer != "" || len(got.Problems) > 0 {
			t.Fatalf("%+v", got)
		}
		var order []string
		for _, r := range got.Routes[0].HTTP {
			order = append(order, r.Name)
		}
		if diff := cmp.Diff(names, order); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
}

func TestGRPCMethodsAreAsSpecificAsTheirPaths(t *testing.T) {
	var routes []intent.Route
	want := []string{}
	for i, m := range []model.GRPCMatch{
		{Type: model.ValueExact, Service: "books", Method: "Get"},
		{Type: model.ValueRegularExpression, Service: "book.*", Method: "G.*"},
		{Type: model.ValueExact, Service: "books.v1"},
		{Type: model.ValueExact, Service: "books"},
		{Type: model.ValueExact, Method: "GetAll"},
		{Type: model.ValueExact, Method: "Get"},
		{},
	} {
		name := fmt.Sprint("route-", i)
		routes = append(routes, routeOf("shop", name, -i, ruleTo("grpc", model.RequestMatch{GRPC: &m})))
		want = append(want, "MeshRoute/shop/"+name+"/0")
	}
	var got []string
	for _, r := range compile.Routes(portOf("web"), routes, theShop).Routes[0].HTTP {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// problems are what is left of a Routing's, for the eye.
func problems(r compile.Routing) (out []string) {
	for _, p := range r.Problems {
		line := fmt.Sprintf("%s %q %s", p.Route.Name, p.Rule, p.Reason)
		if p.Winner.Name != "" {
			line += " by " + p.Winner.Name
		}
		out = append(out, line)
	}
	return out
}

func wantProblems(t *testing.T, r compile.Routing, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, problems(r), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("problems, -want +got:\n%s", diff)
	}
}

// backendsOf are the names of Services, with a mark at those that fail.
func backendsOf(backends []model.Backend) (out []string) {
	for _, b := range backends {
		name := fmt.Sprint(b.Service.Name, " ", b.Weight)
		if b.Missing {
			name += " missing"
		}
		out = append(out, name)
	}
	return out
}

func wantBackends(t *testing.T, got []model.Backend, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, backendsOf(got), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("backends, -want +got:\n%s", diff)
	}
}

func TestOfTwoRulesThatMatchTheSameTheOldestDecides(t *testing.T) {
	got := compile.Routes(portOf("web"), []intent.Route{
		routeOf("shop", "young", 2,
			ruleTo("v2", onPath(model.ValuePathPrefix, "/a/")),
			ruleTo("v2", model.RequestMatch{Headers: []model.HeaderMatch{{Type: model.ValueExact, Name: "X-Y", Value: "1"}, {Type: model.ValueExact, Name: "a", Value: "1"}}}),
			ruleTo("v2", onPath(model.ValueExact, "/own")),
			// A rule may say the same twice.
			ruleTo("v2", onPath(model.ValueExact, "/twice"), onPath(model.ValueExact, "/twice"))),
		routeOf("shop", "old", 1,
			ruleTo("v1", onPath(model.ValuePathPrefix, "/a")),
			ruleTo("v1", model.RequestMatch{Headers: []model.HeaderMatch{{Type: model.ValueExact, Name: "A", Value: "1"}, {Type: model.ValueExact, Name: "x-y", Value: "1"}}})),
	}, theShop)
	wantProblems(t, got, `young "0" Conflicted by old`, `young "1" Conflicted by old`)
	var names []string
	for _, r := range got.Routes[0].HTTP {
		names = append(names, r.Name)
	}
	want := []string{"MeshRoute/shop/young/2", "MeshRoute/shop/young/3", "MeshRoute/shop/old/0", "MeshRoute/shop/old/1"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOneKindOwnsAPort(t *testing.T) {
	split := routeOf("shop", "split", 1, ruleTo("v2"))
	split.Rank = intent.RankTrafficSplit
	split.TCP = &intent.TCPRule{Backends: []intent.Backend{backendOf("db", 1)}}
	route := routeOf("shop", "route", 2, ruleTo("v1", onPath(model.ValueExact, "/a")))
	got := compile.Routes(portOf("undeclared"), onPort("undeclared", split, route), theShop)
	wantProblems(t, got, `split "" Conflicted by route`)
	if len(got.Routes) != 1 || len(got.Routes[0].HTTP) != 1 {
		t.Fatalf("%+v", got.Routes)
	}
	// Of connections the route says nothing: they go as without it.
	wantBackends(t, got.Routes[0].TCP, "undeclared 1")
}

// onPort makes Routes those of a Service of namespace shop.
func onPort(service string, routes ...intent.Route) []intent.Route {
	for i := range routes {
		routes[i].Parent.Name = service
	}
	return routes
}

func TestAConsumersRoutesAreInThePlaceOfTheProducers(t *testing.T) {
	consumers := routeOf("buyer", "mine", 9, ruleTo("v2", onPath(model.ValueExact, "/a")))
	got := compile.Routes(portOf("web"), []intent.Route{
		routeOf("shop", "everybodys", 1, ruleTo("v1")), consumers, routeOf("cat", "other", 1, ruleTo("v1")),
	}, theShop)
	wantProblems(t, got)
	var who []string
	for _, r := range got.Routes {
		who = append(who, r.Consumer)
		if len(r.HTTP) != 1 {
			t.Errorf("callers of %q have %d routes", r.Consumer, len(r.HTTP))
		}
	}
	if !slices.Equal(who, []string{"", "buyer", "cat"}) {
		t.Fatalf("routes are for %q", who)
	}
	wantBackends(t, got.Routes[1].HTTP[0].Backends, "v2 1")
}

func TestARouteActsOnWhatItsCallersSeeAndThePortCarries(t *testing.T) {
	connections := func(r intent.Route) intent.Route {
		r.HTTP, r.TCP = nil, &intent.TCPRule{Name: "0", Backends: []intent.Backend{backendOf("db", 1)}}
		return r
	}
	hidden := routeOf("buyer", "hidden", 1, ruleTo("v1"))
	hidden.Parent.Namespace = "hidden"
	port := portOf("web")
	port.Service.Namespace = "hidden"
	got := compile.Routes(port, []intent.Route{hidden}, theShop)
	wantProblems(t, got, `hidden "" NotAllowedByListeners`)
	if len(got.Routes) > 0 {
		t.Errorf("%+v", got.Routes)
	}
	got = compile.Routes(portOf("db"), onPort("db", routeOf("shop", "requests", 1, ruleTo("v1"))), theShop)
	wantProblems(t, got, `requests "" UnsupportedProtocol`)
	if len(got.Routes) > 0 {
		t.Errorf("%+v", got.Routes)
	}
	got = compile.Routes(portOf("web"), []intent.Route{connections(routeOf("shop", "connections", 1))}, theShop)
	wantProblems(t, got, `connections "" UnsupportedProtocol`)
	if len(got.Routes) > 0 {
		t.Errorf("%+v", got.Routes)
	}
	got = compile.Routes(portOf("db"), onPort("db", connections(routeOf("shop", "young", 2)), connections(routeOf("shop", "old", 1))), theShop)
	wantProblems(t, got, `young "0" Conflicted by old`)
	wantBackends(t, got.Routes[0].TCP, "db 1")
	elsewhere := routeOf("shop", "of-another-port", 1, ruleTo("v1"))
	elsewhere.Port = 81
	if got := compile.Routes(portOf("web"), []intent.Route{elsewhere}, theShop); len(got.Routes)+len(got.Problems) > 0 {
		t.Errorf("%+v", got)
	}
}

// A backend that cannot be called keeps its share, which fails.
func TestABackendThatCannotBeCalledFailsClosed(t *testing.T) {
	inHidden := backendOf("v1", 4)
	inHidden.Service.Namespace = "hidden"
	otherPort := backendOf("v1", 5)
	otherPort.Port = 81
	all := []intent.Backend{
		backendOf("v1", 1), backendOf("gone", 2), backendOf("db", 3), inHidden, otherPort, {Weight: 6}, backendOf("undeclared", 7), backendOf("v2", 0), backendOf("grpc", 8),
	}
	rule := intent.HTTPRule{Backends: all, Mirrors: []intent.Mirror{{Backend: backendOf("v2", 0), PerMillion: 5}, {Backend: backendOf("gone", 0), PerMillion: 5}}}
	got := compile.Routes(portOf("web"), []intent.Route{routeOf("shop", "route", 1, rule)}, theShop)
	wantProblems(t, got,
		`route "0" BackendNotFound`, `route "0" BackendNotFound`, `route "0" BackendNotFound`, `route "0" BackendNotFound`,
		`route "0" RefNotPermitted`, `route "0" UnsupportedProtocol`, `route "0" UnsupportedProtocol`)
	wantBackends(t, got.Routes[0].HTTP[0].Backends,
		"v1 1", "gone 2 missing", "db 3 missing", "v1 4 missing", "v1 5 missing", " 6 missing", "undeclared 7 missing", "v2 0", "grpc 8")
	if m := got.Routes[0].HTTP[0].Mirrors; len(m) != 2 || m[0].Backend.Missing || !m[1].Backend.Missing || m[0].PerMillion != 5 {
		t.Errorf("mirrors: %+v", m)
	}

	detected := routeOf("shop", "split", 1, intent.HTTPRule{Backends: []intent.Backend{backendOf("undeclared", 1), backendOf("v1", 2), backendOf("db", 3)}})
	detected.TCP = &intent.TCPRule{Backends: []intent.Backend{backendOf("undeclared", 1), backendOf("v1", 2), backendOf("db", 3)}}
	got = compile.Routes(portOf("undeclared"), onPort("undeclared", detected), theShop)
	wantBackends(t, got.Routes[0].HTTP[0].Backends, "undeclared 1", "v1 2", "db 3 missing")
	wantBackends(t, got.Routes[0].TCP, "undeclared 1", "v1 2 missing", "db 3")
}

func TestAMatchThatNoProxyTakesIsLeftOut(t *testing.T) {
	for name, match := range map[string]model.RequestMatch{
		"expression":        onPath(model.ValueRegularExpression, "["),
		"huge expression":   onPath(model.ValueRegularExpression, "(?:[a-z]{1,1000}){1000}"),
		"not UTF-8":         onPath(model.ValueExact, "/\xff"),
		"unknown type":      onPath("Glob", "/*"),
		"pseudo-header":     {Headers: []model.HeaderMatch{{Type: model.ValueExact, Name: ":authority", Value: "a"}}},
		"empty header":      {Headers: []model.HeaderMatch{{Type: model.ValueExact, Value: "a"}}},
		"header expression": {Headers: []model.HeaderMatch{{Type: model.ValueRegularExpression, Name: "a", Value: "("}}},
		"empty parameter":   {Query: []model.QueryMatch{{Type: model.ValueExact, Value: "a"}}},
		"query expression":  {Query: []model.QueryMatch{{Type: model.ValueRegularExpression, Name: "a", Value: `\pL`}}},
		"method":            {Method: "GET /"},
		"gRPC expression":   {GRPC: &model.GRPCMatch{Type: model.ValueRegularExpression, Service: "a)(b"}},
		"gRPC and a path":   {GRPC: &model.GRPCMatch{}, Path: &model.PathMatch{Type: model.ValueExact, Value: "/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := compile.Routes(portOf("web"), []intent.Route{routeOf("shop", "route", 1, ruleTo("v1", match), ruleTo("v2", onPath(model.ValueExact, "/b")))}, theShop)
			wantProblems(t, got, `route "0" UnsupportedValue`)
			if len(got.Routes) != 1 || len(got.Routes[0].HTTP) != 1 || got.Routes[0].HTTP[0].Name != "MeshRoute/shop/route/1" {
				t.Errorf("%+v", got.Routes)
			}
		})
	}
}

// TestRoutesAskTheWorld: what a Service's port carries, and who sees it.
func TestRoutesAskTheWorld(t *testing.T) {
	look := compile.RouteLookupOf(worldtest.World(worldtest.Decode(t, []byte(`
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: web}
spec: {clusterIP: 198.19.0.1, clusterIPs: [198.19.0.1], selector: {app: web}, ports: [{name: http, port: 80}, {port: 81}, {port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: opaque}
spec: {clusterIP: 198.19.0.2, clusterIPs: [198.19.0.2], ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: headless}
spec: {clusterIP: None, clusterIPs: [None], selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {mesh.openservicemesh.io/visibility: buyer}}
`))...).Reader())
	for _, c := range []struct {
		service string
		port    uint16
		want    model.Protocol
	}{
		{"web", 80, model.ProtocolHTTP1}, {"web", 81, model.ProtocolDetect}, {"web", 53, ""}, {"web", 82, ""},
		{"opaque", 80, model.ProtocolTCP}, {"headless", 80, ""}, {"gone", 80, ""},
	} {
		got, found := look.Port(intent.Key{Namespace: "shop", Name: c.service}, c.port)
		if got != c.want || found != (c.want != "") {
			t.Errorf("%s:%d carries %q, %v, want %q", c.service, c.port, got, found, c.want)
		}
	}
	for from, want := range map[string]bool{"shop": true, "buyer": true, "thief": false} {
		if got := look.Sees(from, "shop"); got != want {
			t.Errorf("%s sees shop: %v, want %v", from, got, want)
		}
	}
}

// BenchmarkRoutes is of 1,000 rules on one port.
func BenchmarkRoutes(b *testing.B) {
	var routes []intent.Route
	for i := range 100 {
		var rules []intent.HTTPRule
		for j := range 10 {
			rules = append(rules, ruleTo("v1", onPath(model.ValuePathPrefix, fmt.Sprintf("/%d/%d", i, j))))
		}
		routes = append(routes, routeOf("shop", fmt.Sprint("route-", i), i, rules...))
	}
	for b.Loop() {
		compile.Routes(portOf("web"), routes, theShop)
	}
}
