// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// routeTexts are what a match may be made of, good and bad.
var routeTexts = []string{
	"", "/", "/books", "/books/", "/a//", "books", "/a?b", "/a#b", "*", "//", `/\d+`, "[", "a|b", "(?i)x", "(", `\pL`, "é", "\xff", "\x00", "a\r\nb",
	"x-user", "X-User", ":path", "GET", "POST", "CONNECT", "books.v1.Books", "Get", "%2F", " ", "a b", `"`, "\\",
}

// FuzzRoute compiles a Route whose match is made of any text. What is made of it keeps
// Envoy's constraints, and only a match of which the author is told is left out.
func FuzzRoute(f *testing.F) {
	for i, text := range routeTexts {
		f.Add(text, routeTexts[len(routeTexts)-1-i], uint32(i*1000), uint8(i))
	}
	f.Fuzz(func(t *testing.T, one, other string, weight uint32, shape uint8) {
		routeResources(t, one, other, weight, shape)
	})
}

// routeResources are those of a Service port with one Route.
func routeResources(t *testing.T, one, other string, weight uint32, shape uint8) []envoy.Resource {
	t.Helper()
	route := anyRoute(one, other, weight, shape)
	port := compile.RoutedPort{Service: route.Parent, Number: 80, Protocol: model.ProtocolDetect}
	routing := compile.Routes(port, []intent.Route{route}, compile.RouteLookup{
		Sees: func(string, string) bool { return true },
		Port: func(key intent.Key, _ uint16) (model.Protocol, bool) { return model.ProtocolDetect, key.Name != "gone" },
	})
	if len(routing.Routes) != 1 {
		t.Fatalf("%d tables for one Route", len(routing.Routes))
	}
	left := 0
	for _, p := range routing.Problems {
		if p.Reason == compile.RouteUnsupportedValue {
			left++
		}
	}
	if got := len(routing.Routes[0].HTTP) + left; got != 2 {
		t.Errorf("of two rules %d act or are told of: %+v", got, routing)
	}
	resources, err := envoy.Service(model.Service{Key: model.ServiceKey(route.Parent), Ports: []model.ServicePort{
		{Number: 80, Protocol: port.Protocol, Routes: routing.Routes},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		if err := envoytest.Validate(r.Body.ProtoReflect()); err != nil {
			t.Errorf("%s %q: %v", r.TypeURL, r.Name, err)
		}
	}
	return resources
}

// anyRoute has a rule with a match of that shape, and one for all other requests.
func anyRoute(one, other string, weight uint32, shape uint8) intent.Route {
	kinds := []model.ValueMatch{model.ValueExact, model.ValuePathPrefix, model.ValueRegularExpression}
	kind := kinds[int(shape)%len(kinds)]
	var match model.RequestMatch
	switch shape / 3 % 5 {
	case 0:
		match.Path = &model.PathMatch{Type: kind, Value: one}
		match.Method = other
	case 1:
		match.Headers = []model.HeaderMatch{{Type: kind, Name: one, Value: other}, {Type: kind, Name: "x-a", Value: one}}
	case 2:
		match.Query = []model.QueryMatch{{Type: kind, Name: one, Value: other}, {Type: kind, Name: "a", Value: one}}
	case 3:
		match.GRPC = &model.GRPCMatch{Type: kind, Service: one, Method: other}
	default:
		match.Path = &model.PathMatch{Type: kind, Value: one + other}
	}
	shop := func(name string) intent.Key { return intent.Key{Namespace: "shop", Name: name} }
	backends := []intent.Backend{
		{Service: shop("web"), Port: 80, Weight: weight}, {Service: shop("gone"), Port: 80, Weight: ^weight}, {Service: shop("v2"), Port: 80, Weight: weight},
	}
	return intent.Route{
		Origin: intent.Origin{Reference: intent.Reference{Kind: "MeshRoute", Key: shop("any")}},
		Parent: shop("web"),
		HTTP:   []intent.HTTPRule{{Name: "0", Matches: []model.RequestMatch{match}, Backends: backends}, {Name: "1", Backends: backends, Matches: []model.RequestMatch{{Method: "TRACE"}}}},
		TCP:    &intent.TCPRule{Backends: backends},
	}
}
