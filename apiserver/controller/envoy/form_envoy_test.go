//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// notNormal are paths that servers read in several ways.
var notNormal = []string{
	"/fetch/http://h/x", "/a//b", "//a", "/a//", "/%7Eu", "/%61", "/a/./b", "/a/../b", "/..", "/.", "/a/..;x/b", "/a/.;/b", "/a/%2e%2e/b", "/a/%2E/b", "/group%2Fname", "/group%2fname",
	"/a%5Cb", `/a\b`, `/a\..\b`, "/caf%c3%a9", "/a%3bb", "/a%zz", "/a%", "/a%00", "/a|b%7e", "/{id}", "/a\"b", "/a<b>", "/a`b",
}

// TestEnvoyHandsOnAPathAsItWasSent: without a rule about paths that is enforced no
// proxy looks at them, on either side.
func TestEnvoyHandsOnAPathAsItWasSent(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	access := denyOf(model.Match{Hosts: []string{"secret.example.com"}})
	access.Audit = &model.Audit{Deny: denyOf(model.Match{Paths: []model.PathMatch{{Type: model.ValuePathPrefix, Value: "/"}}}).Deny, DenyPolicies: []string{"shop/p"}}
	p := startPair(t, app.port, pairOptions{access: access})
	for _, path := range append([]string{"/", "/a?b=//c/../d%2f", "/a;x=1?"}, notNormal...) {
		for side, address := range map[string]string{"from a pod of the mesh": p.caller, "from outside": p.outside} {
			answer := exchange(address, requestFor(path), time.Minute)
			if heads := app.take(); statusOf(answer) != "200" || len(heads) != 1 || pathIn(heads[0]) != path {
				t.Errorf("%s, %s: answered %.40q, and the application has seen %q", path, side, answer, heads)
			}
		}
	}
}

// TestEnvoyRefusesAPathThatIsNotInNormalForm where a rule names paths: by 400,
// whatever the rule says, and the log tells why.
func TestEnvoyRefusesAPathThatIsNotInNormalForm(t *testing.T) {
	t.Parallel()
	anyCaller := []model.Source{{Anonymous: true}, {Authenticated: true}}
	rule := func(m model.Match) []model.Rule {
		return []model.Rule{{Name: "shop/p/0", From: anyCaller, To: []model.Match{m}}}
	}
	everything := model.Match{Kind: model.MatchHTTP, Paths: []model.PathMatch{{Type: model.ValuePathPrefix, Value: "/"}}}
	method := model.Match{Kind: model.MatchGRPC, GRPCMethods: []model.GRPCMethod{{Service: "shop.Books"}}}
	for name, access := range map[string]model.Access{
		"a Deny by path":            denyOf(model.Match{Paths: []model.PathMatch{{Type: model.ValueExact, Value: "/admin"}}}),
		"an Allow by path":          {Closed: true, Allow: rule(everything)},
		"a Deny by gRPC method":     {Deny: rule(method)},
		"an Allow that admits none": {Closed: true, Allow: []model.Rule{{Name: "shop/p/0", From: []model.Source{{Principals: []model.Principal{{ID: "spiffe://cluster.local/ns/a/sa/b"}}}}, To: []model.Match{everything}}}},
	} {
		t.Run(name, func(t *testing.T) {
			app := startRecorder(t)
			p := startPair(t, app.port, pairOptions{access: access})
			for _, path := range notNormal {
				for side, address := range map[string]string{"from a pod of the mesh": p.caller, "from outside": p.outside} {
					answer := exchange(address, requestFor(path), time.Minute)
					if heads := app.take(); statusOf(answer) != "400" || len(heads) > 0 {
						t.Errorf("%s, %s: answered %.40q, and the application has seen %q", path, side, answer, heads)
					}
				}
			}
			eventually(t, "the log names the route that refuses", func() bool {
				return strings.Contains(p.in.output.String(), `"path":"/a//b"`) && strings.Contains(p.in.output.String(), `"route":"path-not-normal"`)
			})
		})
	}
}

// spellings are those of /admin/keys that some server takes for it, in what a
// request line may hold.
var spellings = []string{
	"/admin/keys/", "//admin/keys", "/admin//keys", "/./admin/keys", "/admin/./keys", "/x/../admin/keys", "/../admin/keys", "/admin/x/../keys", "/x/%2e%2e/admin/keys", "/x/.%2e/admin/keys", "/x/%2E./admin/keys",
	"/x/..;/admin/keys", "/x/..;a=b/admin/keys", "/x/%2e%2e;/admin/keys", "/.;/admin/keys", "/x/..%2fadmin/keys", "/x/..%2Fadmin/keys", "/x%2f..%2fadmin/keys", "/admin%2fkeys", "/admin%2Fkeys", "/admin%5Ckeys", "/admin%5ckeys",
	`/admin\keys`, `\admin\keys`, `/x/..\admin/keys`, `/x/..%5cadmin/keys`, "/%61dmin/keys", "/admi%6e/keys", "/%61%64%6d%69%6e/keys", "/admin/%6b%65%79%73", "/admin/keys?x", "/admin/keys#x", "/admin/keys/.", "/admin/keys/x/..",
	"/admin/keys//", "/admin/keys/./", "/admin%00/keys", "/admin/keys%00", "http://shop/admin/keys", "http://shop//admin/keys", "http://shop/x/../admin/keys", "HTTP://shop/admin/keys", "http://shop:80/admin/keys",
	"/x/%252e%252e/../admin/keys", "/%2e/admin/keys", "/%2f/admin/keys", "/%2fadmin/keys", "/%5cadmin/keys", "/x//../admin/keys", "/x/..//admin/keys", "/x/../../admin/keys", "/x/y/../../admin/keys", "/%c0%af/../admin/keys",
	"/;/admin/keys", "/;x=1/admin/keys", "/admin/;x/keys", "/admin/keys?/../x", "/admin/keys?#", "/admin/keys%3f", "/x%2f%2e%2e%2fadmin%2fkeys",
}

// TestEnvoyLetsNoSpellingOfADeniedPathPass sends each spelling by each method, in
// several versions and with lines that end in several ways. What comes to the
// application is what no server takes for the path.
func TestEnvoyLetsNoSpellingOfADeniedPathPass(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	p := startPair(t, app.port, pairOptions{access: denyOf(model.Match{Paths: []model.PathMatch{{Type: model.ValuePathPrefix, Value: "/admin/keys"}}})})
	forms := []string{
		"GET %s HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n",
		"POST %s HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"GET %s HTTP/1.0\r\nHost: shop\r\n\r\n",
		"GET %s HTTP/1.1\nHost: shop\nConnection: close\n\n",
		"GET  %s HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n",
		"GET %s HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	}
	sent := 0
	for _, address := range []string{p.caller, p.outside} {
		for _, spelling := range spellings {
			for _, form := range forms {
				sent++
				request := fmt.Sprintf(form, spelling)
				answer := exchange(address, request, time.Minute)
				for _, head := range app.take() {
					if seen := asLenientServersDo(pathIn(head)); strings.HasPrefix(seen+"/", "/admin/keys/") {
						t.Errorf("%q is answered %.30q, and the application has seen %q", request, answer, head)
					}
				}
			}
		}
	}
	if sent < 115 {
		t.Errorf("only %d requests", sent)
	}
}

// asLenientServersDo reads a path as servers do that decode all, twice, take a
// backslash for a slash, and drop parameters.
func asLenientServersDo(p string) string {
	p, _, _ = strings.Cut(p, "?")
	if u, err := url.Parse(p); err == nil && u.Host != "" {
		p = u.EscapedPath()
	}
	for range 2 {
		if decoded, err := url.PathUnescape(p); err == nil {
			p = decoded
		}
	}
	elements := strings.Split(strings.ReplaceAll(p, `\`, "/"), "/")
	for i, e := range elements {
		elements[i], _, _ = strings.Cut(e, ";")
	}
	return strings.TrimRight(path.Clean("/"+strings.Join(elements, "/")), "\x00")
}

// TestEnvoyRefusesAHostThatIsNone by 400, with rules about hosts and without, and
// the log tells why.
func TestEnvoyRefusesAHostThatIsNone(t *testing.T) {
	t.Parallel()
	for name, access := range map[string]model.Access{
		"no rule":              {},
		"a Deny by host":       denyOf(model.Match{Hosts: []string{"secret.example.com"}}),
		"a Deny of everything": {Deny: []model.Rule{{Name: "shop/p/0", To: []model.Match{{Kind: model.MatchAny}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			app := startRecorder(t)
			p := startPair(t, app.port, pairOptions{access: access})
			for _, host := range []string{
				"u@secret.example.com", "u:p@secret.example.com", "secret%2eexample%2Ecom", "a,secret.example.com", "secret.example.com,a", "secret.example.com:x", "secret.example.com:80:90",
				"secret.example.com/a", "secret.example.com?", "a;secret.example.com", "secret example", "secret\texample", "secret\x01example", "s\xc3\xa9cret", "[secret]", "<secret>", "a\r\nHost: secret.example.com",
			} {
				answer := exchange(p.outside, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n", time.Minute)
				if heads := app.take(); statusOf(answer) != "400" || len(heads) > 0 {
					t.Errorf("%q from outside: answered %.40q, and the application has seen %q", host, answer, heads)
				}
				// Some are none to the caller's own proxy, or to HTTP/2: 400 or 502.
				answer = exchange(p.caller, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n", time.Minute)
				if heads := app.take(); statusOf(answer) != "400" && statusOf(answer) != "502" || len(heads) > 0 {
					t.Errorf("%q: answered %.40q, and the application has seen %q", host, answer, heads)
				}
			}
			eventually(t, "the log names the route that refuses", func() bool { return strings.Contains(p.in.output.String(), `"route":"no-host"`) })
		})
	}
}

// TestEnvoyTakesEveryHostThatIsOne.
func TestEnvoyTakesEveryHostThatIsOne(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	p := startPair(t, app.port, pairOptions{})
	for _, host := range []string{"shop", "SHOP.example.com.", "my_shop:8080", "10.0.0.1", "[fd00::1]:80", "a~b", "xn--bcher-kva.example"} {
		for _, address := range []string{p.caller, p.outside} {
			answer := exchange(address, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n", time.Minute)
			heads := app.take()
			if len(heads) != 1 {
				t.Fatalf("%q: answered %.40q", host, answer)
			}
			if got, _ := headerOf(heads[0], "host"); got != host {
				t.Errorf("%q: the application has seen %q", host, got)
			}
		}
	}
}

// TestEnvoyLogsARefusedGRPCCall, whose answer has the status 200.
func TestEnvoyLogsARefusedGRPCCall(t *testing.T) {
	t.Parallel()
	e := startInbound(t, testMesh, nil, shopAccess())
	request, err := http.NewRequest(http.MethodPost, e.web+"/shop.Books/Sell", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Grpc-Status") != "7" {
		t.Errorf("answered %s, grpc-status %q", answer.Status, answer.Header.Get("Grpc-Status"))
	}
	eventually(t, "it is logged", func() bool { return strings.Contains(e.output.String(), "closed-by(shop/readers)") })
}
