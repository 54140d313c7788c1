// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"regexp"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestNormalFormOfAPath: RFC 3986, 6.2.2, and what servers read in two ways.
func TestNormalFormOfAPath(t *testing.T) {
	form := regexp.MustCompile("^(?:" + pathForm + anyQuery + ")$")
	for _, path := range []string{
		"/", "/a", "/a/", "/a/b.c", "/.well-known/x", "/...", "/..a", "/a..", "/a/.b/", "/a;x=1", "/;x", "/a/;jsessionid=1", "/a;.", "/a.;x", "/caf%C3%A9", "/a%20b", "/a%25b", "/%252e%252e",
		"/~u", "/a[1]", "/a|b", "/a^b", "/v1/books:sell", "/a,b=c+d&e'f(g)*h!i$j@k", "/a%3Bb", "/shop.Books/Sell",
		"/?", "/a?b//c/../d%2f%7e\xe9\\", "/a?b?c", "/a/?/../",
	} {
		if !form.MatchString(path) {
			t.Errorf("%q is in normal form", path)
		}
	}
	for _, path := range []string{
		"*", "a", "//", "//a", "/a//b", "/a//", "/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/./b", "/a/../b", "/.;", "/..;", "/;/a", "/;x=1/a", "/a/;x/b", "/;/;", "/a/..;x=1/b", "/a/.;x/b",
		"/%2e", "/%2E%2E/a", "/a/%2e./b", "/a/.%2e/b", "/%7Eu", "/%61", "/%41", "/%30", "/a%2Db", "/a%5Fb", "/a%2fb", "/a%2Fb", "/a%5cb", "/a%5Cb", "/a%00", "/caf%c3%a9", "/a%3bb",
		"/a%", "/a%2", "/a%zz", "/a%u002f", `/a\b`, `/\a`, "/caf\xc3\xa9", "/a\xe9", "/a b", "/a\tb", "/a\x7fb", "/a#b", "/a\"b", "/a<b", "/a>b", "/a`b", "/{a}", "http://h/a", "//?", "/..?x", "/%7E?x",
	} {
		if form.MatchString(path) {
			t.Errorf("%q is not in normal form", path)
		}
	}
}

// TestFormOfAHost: names, addresses and ports, and nothing beside them.
func TestFormOfAHost(t *testing.T) {
	form := regexp.MustCompile("^(?:" + hostForm + ")$")
	for _, host := range []string{"", "shop", "SHOP.", "my_shop", "shop.shop.svc.cluster.local:8080", "shop:", "10.0.0.1:80", "[::1]", "[fd00::1]:8080", "[::ffff:10.0.0.1]", "xn--bcher-kva.example", "a~b"} {
		if !form.MatchString(host) {
			t.Errorf("%q is a host", host)
		}
	}
	for _, host := range []string{"u@h", "u:p@h", "secret%2eexample%2Ecom", "a,b", "a b", "a\tb", "a\x00b", "a/b", "a?b", "a#b", `a\b`, "a;b", "shop:x", "shop:80:90", "::1", "[::1", "[shop]", "[fe80::1%25eth0]", "caf\xc3\xa9", "*", "a=b", "<a>", "a'b", "http://a"} {
		if form.MatchString(host) {
			t.Errorf("%q is no host", host)
		}
	}
}

// TestFormOfAPathIsLookedAtWhereARuleNamesOne, or a gRPC method, which is a path. An
// audited rule changes no verdict.
func TestFormOfAPathIsLookedAtWhereARuleNamesOne(t *testing.T) {
	to := func(m model.Match) []model.Rule {
		return []model.Rule{{Name: "ns/p/0", To: []model.Match{{Kind: model.MatchAny}, m}}}
	}
	path := model.Match{Kind: model.MatchHTTP, Paths: []model.PathMatch{{Type: model.ValueExact, Value: "/a"}}}
	method := model.Match{Kind: model.MatchGRPC, GRPCMethods: []model.GRPCMethod{{Service: "shop.Books"}}}
	for name, c := range map[string]struct {
		access model.Access
		want   int
	}{
		"no rule":                  {model.Access{}, 1},
		"rules about other things": {model.Access{Deny: to(model.Match{Kind: model.MatchHTTP, Hosts: []string{"shop"}}), Allow: to(model.Match{Kind: model.MatchGRPC})}, 1},
		"a Deny by path":           {model.Access{Deny: to(path)}, 2},
		"an Allow by path":         {model.Access{Closed: true, Allow: to(path)}, 2},
		"an Allow by gRPC method":  {model.Access{Closed: true, Allow: to(method)}, 2},
		"audited rules":            {model.Access{Audit: &model.Audit{Deny: to(path), Allow: to(method)}}, 1},
	} {
		if got := len(refuseForms(c.access)); got != c.want {
			t.Errorf("%s: %d routes refuse a form, want %d", name, got, c.want)
		}
	}
}

// An Allow whose path has percent-encoding in small letters admits what is in normal
// form.
func TestPercentEncodingOfARuleIsComparedInCapitals(t *testing.T) {
	for _, kind := range []model.ValueMatch{model.ValueExact, model.ValuePathPrefix} {
		p := pathOf(model.PathMatch{Type: kind, Value: "/caf%c3%a9"})
		if kind == model.ValuePathPrefix {
			p = p.GetOrRules().Rules[0]
		}
		if got := p.GetUrlPath().GetPath().GetExact(); got != "/caf%C3%A9" {
			t.Errorf("%s: compared with %q", kind, got)
		}
	}
}
