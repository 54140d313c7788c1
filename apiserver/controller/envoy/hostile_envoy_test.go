//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// hostile is a real Envoy with the inbound configuration of one HTTP port and
// the application behind it, for what no honest client sends.
type hostile struct {
	address string
	admin   http.Client
	// served counts the requests that came to the application.
	served *atomic.Int64
	// seen is the last of them.
	seen *atomic.Pointer[http.Request]
}

// newHostile starts both. The application answers 500 to /fails, and late
// to /slow.
func newHostile(t *testing.T, access model.Access) hostile {
	t.Helper()
	h := hostile{served: &atomic.Int64{}, seen: &atomic.Pointer[http.Request]{}}
	app := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.served.Add(1)
		h.seen.Store(r)
		if r.URL.Path == "/slow" {
			time.Sleep(50 * time.Millisecond)
		}
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})}
	go server.Serve(app)
	t.Cleanup(func() { server.Close() })

	m := model.Mesh{TrustDomain: "cluster.local"}
	port := model.InboundPort{Number: 8080, Protocol: model.ProtocolHTTP1, Access: access}
	w := model.Workload{View: "0123456789abcdef", Namespace: "shop", Ports: []model.InboundPort{port}}
	resource, err := inboundRoutes(m, w, port)
	if err != nil {
		t.Fatal(err)
	}
	routes := &routev3.RouteConfiguration{}
	if err := resource.Body.UnmarshalTo(routes); err != nil {
		t.Fatal(err)
	}
	manager := inboundManager(m, inboundStatPrefix(port), resource.Name)
	// Its log is bounded by a file of the pod.
	manager.AccessLog = nil
	manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
	to := staticCluster(ClusterInboundHTTP1, socketAddress("127.0.0.1", portOf(app)))
	to.TypedExtensionProtocolOptions = protocolOptions(model.ProtocolHTTP1)
	front := envoytest.FreePort(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	yaml, err := messageYAML(&bootstrapv3.Bootstrap{
		Admin:          &bootstrapv3.Admin{Address: pipeAddress(socket)},
		StatsConfig:    statsConfig(),
		LayeredRuntime: runtime(),
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters: []*clusterv3.Cluster{to},
			Listeners: []*listenerv3.Listener{{
				Name: "web", Address: socketAddress("127.0.0.1", front),
				FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{networkFilter(filters.Manager, manager)}}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bootstrap.yaml")
	if err := os.WriteFile(file, yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, envoytest.Binary(t), "-c", file, "--service-node", "shop", "--service-cluster", "shop",
		"--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = command.Wait() })
	h.address = fmt.Sprintf("127.0.0.1:%d", front)
	h.admin = http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", h.address); err == nil {
			c.Close()
			return h
		}
		if time.Now().After(deadline) {
			t.Fatal("Envoy does not listen")
		}
	}
}

// send writes a request as it is, and gives the status of the answer.
func (h hostile) send(t *testing.T, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	return answer.Status
}

func (h hostile) stats(t *testing.T) string {
	t.Helper()
	answer, err := h.admin.Get("http://admin/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// requestFor is a GET with these lines of headers.
func requestFor(path string, headers ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
}

// TestEnvoyDeniesAHeaderHoweverOftenItIsSaid: a header may stand in a request
// several times, and applications take the first or the last.
func TestEnvoyDeniesAHeaderHoweverOftenItIsSaid(t *testing.T) {
	t.Parallel()
	h := newHostile(t, denyOf(model.Match{Headers: []model.HeaderMatch{{Name: "x-role", Value: "admin"}}}))
	if got := h.send(t, requestFor("/", "X-Role: reader")); got != "200 OK" {
		t.Errorf("another value: %s", got)
	}
	before := h.served.Load()
	for _, headers := range [][]string{
		{"X-Role: admin"}, {"x-role:admin "}, {"X-Role: admin", "X-Role: reader"}, {"X-Role: reader", "X-Role: admin"}, {"X-Role: admin", "X-Role: "},
	} {
		if got := h.send(t, requestFor("/", headers...)); got != "403 Forbidden" {
			t.Errorf("%q: %s, want 403", headers, got)
		}
	}
	if h.served.Load() != before {
		t.Error("the application was asked")
	}
}

// TestEnvoyAdmitsAHeaderOnlyIfItSaysNothingElse: a caller that may say one
// tenant's name could else say another's beside it.
func TestEnvoyAdmitsAHeaderOnlyIfItSaysNothingElse(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("abcdefgh", 512)
	h := newHostile(t, model.Access{Closed: true, Allow: []model.Rule{
		{Name: "shop/p/0", From: []model.Source{{Anonymous: true}}, To: []model.Match{{Kind: model.MatchHTTP, Headers: []model.HeaderMatch{{Name: "x-team", Value: "books"}}}}},
		{Name: "shop/p/1", From: []model.Source{{Anonymous: true}}, To: []model.Match{{Kind: model.MatchHTTP, Headers: []model.HeaderMatch{{Name: "x-long", Value: longest}}}}},
	}})
	for _, headers := range [][]string{{"X-Team: books"}, {"x-team:books "}, {"X-Team: books", "X-Team: books"}, {"X-Long: " + longest}} {
		if got := h.send(t, requestFor("/", headers...)); got != "200 OK" {
			t.Errorf("%.80q: %s, want 200", headers, got)
		}
	}
	before := h.served.Load()
	for _, headers := range [][]string{
		{}, {"X-Team: toys"}, {"X-Team: books", "X-Team: toys"}, {"X-Team: toys", "X-Team: books"}, {"X-Team: books", "X-Team: "}, {"X-Team: books, toys"},
		{"X-Team: books", "X-Team: boo"}, {"X-Team: books", "X-Team: bookstore"}, {"X-Team: books", "X-Team: Books"}, {"X-Team: books", "X-Team: caf\xe9"},
		{"X-Long: " + longest, "X-Long: " + longest[1:]}, {"X-Long: " + longest, "X-Long: " + longest + "a"},
	} {
		if got := h.send(t, requestFor("/", headers...)); got != "403 Forbidden" {
			t.Errorf("%.80q: %s, want 403", headers, got)
		}
	}
	if h.served.Load() != before {
		t.Error("the application was asked")
	}
}

// TestEnvoyDeniesAMethodInAnyCase: some frameworks take them for one.
func TestEnvoyDeniesAMethodInAnyCase(t *testing.T) {
	t.Parallel()
	h := newHostile(t, denyOf(model.Match{Methods: []string{"DELETE"}}))
	// As between proxies: over HTTP/1.1 Envoy takes the known methods alone.
	http2 := &http.Protocols{}
	http2.SetUnencryptedHTTP2(true)
	caller := http.Client{Transport: &http.Transport{Protocols: http2}, Timeout: time.Minute}
	for method, want := range map[string]int{"DELETE": 403, "delete": 403, "Delete": 403, "GET": 200, "UNDELETE": 200} {
		request, err := http.NewRequest(method, "http://"+h.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := caller.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %s, want %d", method, answer.Status, want)
		}
	}
}

// TestEnvoyReadsAHostAsNoApplicationCanReadItOtherwise: some drop what follows a
// colon, be it a port or not.
func TestEnvoyReadsAHostAsNoApplicationCanReadItOtherwise(t *testing.T) {
	t.Parallel()
	hosts := model.Match{Kind: model.MatchHTTP, Hosts: []string{"shop", "*.example.com"}}
	allow := newHostile(t, model.Access{Closed: true, Allow: []model.Rule{{Name: "shop/p/0", From: []model.Source{{Anonymous: true}}, To: []model.Match{hosts}}}})
	deny := newHostile(t, denyOf(hosts))
	for host, want := range map[string][2]string{
		"shop": {"200 OK", "403 Forbidden"}, "SHOP.:80": {"200 OK", "403 Forbidden"}, "a.b.Example.com:": {"200 OK", "403 Forbidden"},
		"shop..": {"403 Forbidden", "403 Forbidden"},
		"shop:x": {"400 Bad Request", "400 Bad Request"}, "shop:80:90": {"400 Bad Request", "400 Bad Request"}, "shop,other": {"400 Bad Request", "400 Bad Request"},
		"other\r\nHost: shop": {"400 Bad Request", "400 Bad Request"}, "other:1.example.com": {"400 Bad Request", "400 Bad Request"}, "other,a.example.com": {"400 Bad Request", "400 Bad Request"},
		"other": {"403 Forbidden", "200 OK"}, "workshop": {"403 Forbidden", "200 OK"}, "shop.other": {"403 Forbidden", "200 OK"}, "example.com": {"403 Forbidden", "200 OK"},
	} {
		request := "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
		if got := [2]string{allow.send(t, request), deny.send(t, request)}; got != want {
			t.Errorf("%q: allowed %s, want %s; denied %s, want %s", host, got[0], want[0], got[1], want[1])
		}
	}
}

func TestEnvoyDeniesGRPCInItsFormForBrowsersToo(t *testing.T) {
	t.Parallel()
	h := newHostile(t, model.Access{Deny: []model.Rule{{Name: "shop/p/0", To: []model.Match{{Kind: model.MatchGRPC}}}}})
	for content, served := range map[string]int64{
		"application/grpc": 0, "application/grpc+proto": 0, "Application/GRPC; x=1": 0,
		"application/grpc-web+proto": 0, "application/grpc-web-text": 0, "application/json": 1,
	} {
		before := h.served.Load()
		// Refused, a gRPC call is answered 200, with a grpc-status.
		answer := h.send(t, "POST /shop.Books/Sell HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nContent-Type: "+content+"\r\n\r\n")
		if n := h.served.Load() - before; n != served {
			t.Errorf("%s: %d requests came to the application, want %d (%s)", content, n, served, answer)
		}
	}
}

// TestEnvoyIsSteeredByNoRequest sends what Envoy obeys from those that it trusts.
func TestEnvoyIsSteeredByNoRequest(t *testing.T) {
	t.Parallel()
	h := newHostile(t, model.Access{})
	for _, trust := range []string{"X-Any: 1", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 127.0.0.1", "X-Envoy-Internal: true"} {
		before := h.served.Load()
		h.send(t, requestFor("/fails", trust, "x-envoy-retry-on: 5xx,gateway-error", "x-envoy-max-retries: 20"))
		if n := h.served.Load() - before; n != 1 {
			t.Errorf("%s: the application was asked %d times for one request", trust, n)
		}
		if got := h.send(t, requestFor("/slow", trust, "x-envoy-upstream-rq-timeout-ms: 1")); got != "200 OK" {
			t.Errorf("%s: a caller sets the timeout: %s", trust, got)
		}
		h.send(t, requestFor("/", trust, "x-envoy-upstream-alt-stat-name: mine", "X-Forwarded-Client-Cert: URI=spiffe://cluster.local/ns/a/sa/b"))
		for _, name := range []string{"X-Forwarded-Client-Cert", "X-Envoy-Internal", "X-Envoy-Upstream-Alt-Stat-Name"} {
			if got := h.seen.Load().Header.Get(name); got != "" {
				t.Errorf("%s: the application is told %s: %s", trust, name, got)
			}
		}
	}
	if strings.Contains(h.stats(t), "mine") {
		t.Error("callers name statistics, and so fill the proxy's memory")
	}
}

// TestEnvoyHandsOnNothingThatTwoServersMayReadDifferently: or they are made one.
func TestEnvoyHandsOnNothingThatTwoServersMayReadDifferently(t *testing.T) {
	t.Parallel()
	h := newHostile(t, model.Access{})
	before := h.served.Load()
	for request, want := range map[string]string{
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "400 Bad Request",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\nabc":                "400 Bad Request",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n":            "501 Not Implemented",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n":                     "400 Bad Request",
		"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n":                                                "403 Forbidden",
		requestFor("/books#/admin"): "400 Bad Request",
	} {
		if got := h.send(t, request); got != want {
			t.Errorf("%q: %s, want %s", request, got, want)
		}
	}
	if h.served.Load() != before {
		t.Error("the application was asked")
	}
	// What follows is served, as what it means.
	h.send(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
	if header := h.seen.Load().Header; header.Get("Upgrade") != "" || header.Get("Http2-Settings") != "" {
		t.Errorf("an upgrade to h2c is handed on: %v", header)
	}
	h.send(t, "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n X-Role: admin\r\n\r\n")
	if header := h.seen.Load().Header; header.Get("X-Role") != "" || header.Get("X-A") != "b X-Role: admin" {
		t.Errorf("a folded line is handed on as %v", header)
	}
	h.send(t, "GET http://other/books HTTP/1.1\r\nHost: shop\r\n\r\n")
	if r := h.seen.Load(); r.Host != "other" || r.RequestURI != "/books" {
		t.Errorf("an absolute URI is handed on as %s of host %s", r.RequestURI, r.Host)
	}
}

// TestEnvoyHoldsBackWhatFollowsAWebSocketThatIsNotOne: an application that does
// not know WebSockets would take it for a request that nobody has looked at.
func TestEnvoyHoldsBackWhatFollowsAWebSocketThatIsNotOne(t *testing.T) {
	t.Parallel()
	h := newHostile(t, denyOf(model.Match{Paths: []model.PathMatch{{Type: model.ValuePathPrefix, Value: "/admin"}}}))
	const hidden = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, path := range []string{"/books", "/slow", "/fails"} {
		h.send(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"+hidden)
		// The application would have taken it from the same connection, before this.
		h.send(t, requestFor("/after"))
		if got := h.seen.Load().RequestURI; got != "/after" {
			t.Errorf("after %s the application was asked for %s", path, got)
		}
	}
	if got := h.served.Load(); got != 6 {
		t.Errorf("%d requests came to the application, want 6", got)
	}
}

func denyOf(m model.Match) model.Access {
	m.Kind = model.MatchHTTP
	return model.Access{Deny: []model.Rule{{Name: "shop/p/0", To: []model.Match{m}}}}
}

// TestEnvoyKeepsATrailerATrailer: a Deny by a header does not look at trailers, so
// none may become a header on its way.
func TestEnvoyKeepsATrailerATrailer(t *testing.T) {
	t.Parallel()
	h := newHostile(t, denyOf(model.Match{Headers: []model.HeaderMatch{{Name: "x-role", Value: "admin"}}}))
	request := "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nTrailer: X-Role\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\nX-Role: admin\r\n\r\n"
	if got := h.send(t, request); got != "200 OK" {
		t.Fatalf("a trailer of that name: %s, want 200", got)
	}
	seen := h.seen.Load()
	if _, ok := seen.Trailer["X-Role"]; !ok || seen.Header.Get("X-Role") != "" {
		t.Errorf("the application was told headers %v and trailers %v, want x-role among the trailers alone", seen.Header, seen.Trailer)
	}
}
