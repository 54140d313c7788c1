//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoyMatchesRequestsAsTheModelSays: each route leads to a backend of its own,
// and the first in the list that matches decides.
func TestEnvoyMatchesRequestsAsTheModelSays(t *testing.T) {
	expression := model.ValueRegularExpression
	matches := []struct {
		name  string
		match model.RequestMatch
	}{
		{"exact", ofPath(model.ValueExact, "/exact")},
		{"prefix", ofPath(model.ValuePathPrefix, "/prefix/")},
		{"empty-element", ofPath(model.ValuePathPrefix, "/empty//")},
		{"expression", ofPath(expression, `/expression/\d+`)},
		{"never", ofPath(model.ValueExact, "/never?a=b")},
		{"get", model.RequestMatch{Path: &model.PathMatch{Type: model.ValueExact, Value: "/method"}, Method: "GET"}},
		{"post", model.RequestMatch{Path: &model.PathMatch{Type: model.ValueExact, Value: "/method"}, Method: "POST"}},
		{"patch", model.RequestMatch{Path: &model.PathMatch{Type: model.ValueExact, Value: "/method"}, Method: "PATCH"}},
		{"put", model.RequestMatch{Path: &model.PathMatch{Type: model.ValueExact, Value: "/method"}, Method: "PUT"}},
		{"two-headers", model.RequestMatch{Headers: []model.HeaderMatch{
			{Type: model.ValueExact, Name: "x-user", Value: "jason"}, {Type: expression, Name: "x-version", Value: "v2.*"},
		}}},
		{"header", model.RequestMatch{Headers: []model.HeaderMatch{{Type: model.ValueExact, Name: "x-user", Value: "jason"}}}},
		{"query", model.RequestMatch{Query: []model.QueryMatch{
			{Type: model.ValueExact, Name: "page", Value: "1"}, {Type: expression, Name: "sort", Value: "a|b"},
		}}},
		{"grpc-method", model.RequestMatch{GRPC: &model.GRPCMatch{Type: model.ValueExact, Service: "books.v1.Books", Method: "Get"}}},
		{"grpc-service", model.RequestMatch{GRPC: &model.GRPCMatch{Type: model.ValueExact, Service: "books.v1.Books"}}},
		{"grpc-any-service", model.RequestMatch{GRPC: &model.GRPCMatch{Type: model.ValueExact, Method: "Watch"}}},
		{"grpc-expressions", model.RequestMatch{GRPC: &model.GRPCMatch{Type: expression, Service: "pens|paper", Method: "G.*"}}},
		{"grpc", model.RequestMatch{GRPC: &model.GRPCMatch{Type: model.ValueExact}}},
		{"unreached", ofPath(model.ValueExact, "/exact")},
	}
	var routes model.Routes
	var names []string
	for _, m := range matches {
		routes.HTTP = append(routes.HTTP, model.HTTPRoute{Name: m.name, Match: m.match, Backends: []model.Backend{to(m.name, 1)}})
		names = append(names, m.name)
	}
	r := startRouted(t, model.ProtocolHTTP1, routes, names...)
	const grpc, other = "Content-Type: application/grpc", ""
	for _, c := range []struct{ request, headers, want string }{
		{"GET /exact", other, "exact"},
		{"GET /exact?a=b", other, "exact"},
		{"POST /exact", grpc, "exact"},
		{"GET /exact/", other, ""},
		{"GET /Exact", other, ""},
		{"GET /prefix", other, "prefix"},
		{"GET /prefix/", other, "prefix"},
		{"POST /prefix/a?b", other, "prefix"},
		{"GET /prefixed", other, ""},
		{"GET /empty//", other, "empty-element"},
		{"GET /empty//a", other, "empty-element"},
		{"GET /empty/", other, "empty-element"},
		{"GET /empty", other, ""},
		{"GET /expression/42?a", other, "expression"},
		{"GET /expression/42/", other, ""},
		{"GET /never?a=b", other, ""},
		{"GET /method", other, "get"},
		{"POST /method", other, "post"},
		{"POST /method", grpc, "post"},
		{"PATCH /method", other, "patch"},
		{"PUT /method", other, "put"},
		{"DELETE /method", other, ""},
		{"GET /", "X-User: jason", "header"},
		{"GET /", "X-User: Jason", ""},
		{"GET /", "X-User: jason|X-Version: v2-beta", "two-headers"},
		{"GET /", "X-Version: v2-beta", ""},
		{"GET /?page=1&sort=b", other, "query"},
		{"GET /?page=1&sort=c", other, ""},
		{"GET /?sort=b", other, ""},
		{"POST /books.v1.Books/Get", grpc, "grpc-method"},
		{"POST /books.v1.Books/List", grpc, "grpc-service"},
		{"POST /books.v1.Books/Get", other, ""},
		{"POST /pens/Watch", grpc, "grpc-any-service"},
		{"POST /pens/Get", grpc, "grpc-expressions"},
		{"POST /pens/List", grpc, "grpc"},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		var headers []string
		if c.headers != "" {
			headers = strings.Split(c.headers, "|")
		}
		want := "200 " + c.want
		if c.want == "" {
			want = "404"
		}
		// To gRPC Envoy answers by trailers, and without a status of its own.
		got := r.ask(t, method, path, headers...)
		if got != want && (c.want != "" || c.headers != grpc || got != "200") {
			t.Errorf("%s with %q: answered %q, want %q", c.request, c.headers, got, want)
		}
	}
}

func TestEnvoyEndsARequestInTime(t *testing.T) {
	one := func(path string, timeouts model.Timeouts) model.HTTPRoute {
		return model.HTTPRoute{Match: ofPath(model.ValueExact, path), Backends: []model.Backend{to("web", 1)}, Timeouts: timeouts}
	}
	r := startRouted(t, model.ProtocolHTTP1, model.Routes{HTTP: []model.HTTPRoute{
		one("/none", model.Timeouts{}),
		one("/request", model.Timeouts{Request: 300 * time.Millisecond}),
		one("/backend", model.Timeouts{Request: time.Minute, BackendRequest: 300 * time.Millisecond}),
		one("/idle", model.Timeouts{Idle: 300 * time.Millisecond}),
	}}, "web")
	web := r.backends["web"]
	slow := func(n int) func(http.ResponseWriter, *http.Request, int) {
		return func(w http.ResponseWriter, r *http.Request, before int) {
			if before <= n {
				select {
				case <-r.Context().Done():
				case <-time.After(2 * time.Second):
				}
			}
			fmt.Fprint(w, "done")
		}
	}
	for _, c := range []struct {
		request string
		slow    int
		want    string
		served  int
	}{
		{"GET /none", 1, "200 done", 1},
		{"GET /request", 1, "504 upstream request timeout", 1},
		{"POST /request", 1, "504 upstream request timeout", 1},
		{"GET /idle", 1, "504 stream timeout", 1},
		// A GET may be served twice, and is tried again.
		{"GET /backend", 1, "200 done", 2},
		{"GET /backend", 3, "504 upstream request timeout", 3},
		{"POST /backend", 1, "504 upstream request timeout", 1},
	} {
		web.answers(slow(c.slow))
		method, path, _ := strings.Cut(c.request, " ")
		got := r.ask(t, method, path)
		if served := len(web.took()); got != c.want || served != c.served {
			t.Errorf("%s, slow %d times: answered %q after %d attempts, want %q after %d", c.request, c.slow, got, served, c.want, c.served)
		}
	}
}

func TestEnvoyTriesAgainAsItIsAsked(t *testing.T) {
	one := func(path string, retry *model.Retry) model.HTTPRoute {
		return model.HTTPRoute{Match: ofPath(model.ValueExact, path), Backends: []model.Backend{to("web", 1)}, Retry: retry}
	}
	r := startRouted(t, model.ProtocolHTTP1, model.Routes{HTTP: []model.HTTPRoute{
		one("/unsaid", nil),
		one("/never", &model.Retry{}),
		one("/three", &model.Retry{Attempts: 3, Codes: []uint32{503}}),
		one("/unsafe", &model.Retry{Attempts: 3, Codes: []uint32{503}, Unsafe: true}),
		one("/slowly", &model.Retry{Attempts: 1, Codes: []uint32{503}, BackOff: time.Second}),
	}}, "web")
	web := r.backends["web"]
	answersBy := func(status int) func(http.ResponseWriter, *http.Request, int) {
		return func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(status) }
	}
	breaks := func(http.ResponseWriter, *http.Request, int) { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		request string
		with    func(http.ResponseWriter, *http.Request, int)
		served  int
	}{
		{"GET /unsaid", answersBy(503), 1},
		{"GET /unsaid", breaks, 3},
		{"POST /unsaid", breaks, 1},
		{"GET /never", answersBy(503), 1},
		{"GET /never", breaks, 1},
		{"GET /three", answersBy(503), 4},
		{"GET /three", answersBy(502), 1},
		{"GET /three", breaks, 4},
		{"POST /three", answersBy(503), 1},
		{"POST /three", breaks, 1},
		{"POST /unsafe", answersBy(503), 4},
		{"POST /unsafe", breaks, 4},
	} {
		web.answers(c.with)
		method, path, _ := strings.Cut(c.request, " ")
		r.ask(t, method, path)
		if served := len(web.took()); served != c.served {
			t.Errorf("%s: %d attempts, want %d", c.request, served, c.served)
		}
	}
	// Each wait is by chance between nothing and BackOff, so one of five is long.
	longest := time.Duration(0)
	web.answers(answersBy(503))
	for range 5 {
		start := time.Now()
		r.ask(t, "GET", "/slowly")
		longest = max(longest, time.Since(start))
	}
	if served := len(web.took()); served != 10 || longest < 100*time.Millisecond {
		t.Errorf("with a back-off of 1 s: %d attempts, and the longest wait was %s", served, longest)
	}
}

func TestEnvoyCopiesRequestsToMirrors(t *testing.T) {
	routes := model.Routes{HTTP: []model.HTTPRoute{{
		Backends: []model.Backend{to("web", 1)},
		Mirrors: []model.Mirror{
			{Backend: to("all", 0), PerMillion: 1_000_000},
			{Backend: to("some", 0), PerMillion: 200_000},
			{Backend: to("none", 0)},
			{Backend: to("hidden", 0), PerMillion: 1_000_000},
			{Backend: missing(0), PerMillion: 1_000_000},
		},
	}}}
	r := startRouted(t, model.ProtocolHTTP1, routes, "web", "all", "some", "none")
	const requests = 1000
	for i := range requests {
		if got := r.ask(t, "POST", fmt.Sprint("/", i)); got != "200 web" {
			t.Fatalf("answered %q", got)
		}
	}
	var copies []string
	eventually(t, "the copies arrive", func() bool {
		copies = append(copies, r.backends["all"].took()...)
		return len(copies) == requests
	})
	sent := r.backends["web"].took()
	slices.Sort(sent)
	slices.Sort(copies)
	if !slices.Equal(sent, copies) {
		t.Errorf("copies differ from what was sent: %s, %s", copies[0], sent[0])
	}
	some := len(r.backends["some"].took())
	demandShares(t, map[string]int{"copied": some, "not copied": requests - some}, map[string]float64{"copied": 0.2, "not copied": 0.8})
	if n := len(r.backends["none"].took()); n > 0 {
		t.Errorf("%d copies for a mirror that gets none", n)
	}
}
