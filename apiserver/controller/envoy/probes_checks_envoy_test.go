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
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
)

// TestEnvoyAsksByGRPCAndTCPWhenTheKubeletAsks holds that an answer is that of the
// moment, not of an earlier one: the first after the application starts or stops.
func TestEnvoyAsksByGRPCAndTCPWhenTheKubeletAsks(t *testing.T) {
	t.Parallel()
	states := health.NewServer()
	long := strings.Repeat("shop.", 4000) + "Books"
	for _, service := range []string{"shop.Books", long} {
		states.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
	}
	secure := newProbedApp(t).secure.TLS.Clone()
	secure.NextProtos = []string{"h2"}
	tcp, rpc, rpcs, bare := reserved(t), reserved(t), reserved(t), listen(t)
	go grpc.NewServer().Serve(bare)
	proxy := runProbes(t, []ProbeRoute{
		{Path: "/probe/db/liveness", Port: tcp.port, OriginalPath: "/", Scheme: ProbeTCP, Timeout: probeTimeout},
		{Path: "/probe/rpc/readiness", Port: rpc.port, OriginalPath: "/shop.Books", Scheme: ProbeGRPC, Timeout: probeTimeout},
		{Path: "/probe/rpc/liveness", Port: rpc.port, OriginalPath: "/", Scheme: ProbeGRPC, Timeout: probeTimeout},
		{Path: "/probe/long/readiness", Port: rpc.port, OriginalPath: "/" + long, Scheme: ProbeGRPC, Timeout: probeTimeout},
		{Path: "/probe/rpcs/readiness", Port: rpcs.port, OriginalPath: "/shop.Books", Scheme: ProbeGRPCS, Timeout: probeTimeout},
		{Path: "/probe/rpc/startup", Port: rpc.port, OriginalPath: "/unknown", Scheme: ProbeGRPC, Timeout: probeTimeout},
		{Path: "/probe/bare/readiness", Port: portOf(bare), OriginalPath: "/", Scheme: ProbeGRPC, Timeout: probeTimeout},
	})
	holds := func(path, want string) {
		t.Helper()
		if got, said := kubelet("http://"+proxy+path, nil, false); got != want {
			t.Errorf("%s: %s (%s), want %s", path, got, said, want)
		}
	}
	for _, path := range []string{"/probe/db/liveness", "/probe/rpc/readiness", "/probe/rpcs/readiness"} {
		holds(path, "failure")
	}
	accepted := tcp.open(t)
	plain, closePlain := rpc.serve(t, states)
	_, _ = rpcs.serve(t, states, grpc.Creds(credentials.NewTLS(secure)))
	for _, path := range []string{"/probe/db/liveness", "/probe/rpc/readiness", "/probe/rpc/liveness", "/probe/long/readiness", "/probe/rpcs/readiness"} {
		holds(path, "success")
	}
	holds("/probe/rpc/startup", "failure")
	holds("/probe/bare/readiness", "failure")
	if got := <-accepted; got != "" {
		t.Errorf("a TCP probe sent %q, want nothing", got)
	}
	if got := (<-plain).Get("user-agent"); !slices.Equal(got, []string{"kube-probe/1.37"}) {
		t.Errorf("the gRPC server sees the user agent %q, want the kubelet's", got)
	}
	states.SetServingStatus("shop.Books", healthpb.HealthCheckResponse_NOT_SERVING)
	holds("/probe/rpc/readiness", "failure")
	holds("/probe/rpc/liveness", "success")
	closePlain()
	holds("/probe/rpc/liveness", "failure")
	tcp.close()
	holds("/probe/db/liveness", "failure")
}

// TestEnvoySendsTheProbeAndNothingOfWhatACallerAdds holds that the application sees
// the probe's own request, whatever a caller of the port of probes sends.
func TestEnvoySendsTheProbeAndNothingOfWhatACallerAdds(t *testing.T) {
	t.Parallel()
	app := newProbedApp(t)
	app.redirect = func(int) (string, int) { return "/ok", http.StatusFound }
	port := portOf(app.plain.Listener)
	at := fmt.Sprintf("127.0.0.1:%d", port)
	proxy := runProbes(t, []ProbeRoute{
		{Path: "/probe/app/readiness", Port: port, OriginalPath: "/ok?a=b", Timeout: probeTimeout, Headers: []ProbeHeader{{"X-Own", "one"}}},
		{Path: "/probe/app/liveness", Port: port, OriginalPath: "/start?case=0", Timeout: probeTimeout},
	})
	want := "HTTP/1.1 GET /ok?a=b Host " + at + `, 0 bytes, [], Accept: ["*/*"]; Connection: ["close"]; User-Agent: ["kube-probe"]; X-Own: ["one"]`
	for name, request := range map[string]string{
		"a host":                  "GET /probe/app/readiness HTTP/1.1\r\nHost: secret.example\r\nConnection: close\r\n\r\n",
		"a host with a user":      "GET /probe/app/readiness HTTP/1.1\r\nHost: u@secret.example\r\nConnection: close\r\n\r\n",
		"no host":                 "GET /probe/app/readiness HTTP/1.0\r\n\r\n",
		"headers":                 "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nCookie: a=b\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nX-HTTP-Method-Override: DELETE\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\nUser-Agent: stranger\r\nReferer: http://a/\r\nConnection: close\r\n\r\n",
		"headers of Envoy":        "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nX-Envoy-Original-Dst-Host: 127.0.0.1:1\r\nX-Envoy-Original-Path: /admin\r\nX-Envoy-Original-Url: http://a/admin\r\nX-Request-Id: a\r\nX-Envoy-Upstream-Rq-Timeout-Ms: 1\r\nConnection: close\r\n\r\n",
		"the probe's own header":  "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nX-Own: two\r\nConnection: close\r\n\r\n",
		"headers of a connection": "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nConnection: close, X-Own\r\nTE: trailers\r\nKeep-Alive: 5\r\nExpect: 100-continue\r\n\r\n",
		"an upgrade":              "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
		"a websocket":             "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"the absolute form":       "GET http://secret.example/probe/app/readiness HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"a large user agent":      "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nUser-Agent: kube-probe/1." + strings.Repeat("3", 10000) + "\r\nConnection: close\r\n\r\n",
		"an empty body":           "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"an empty chunked body":   "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
		"trailers":                "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\nConnection: close\r\n\r\n0\r\nX-A: b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			code := send(t, proxy, request)
			seen := app.seen()
			if code == http.StatusOK && !slices.Equal(seen, []string{want}) || code != http.StatusOK && len(seen) > 0 {
				t.Errorf("answer %d, and the application saw\n%s\nwant\n%s", code, strings.Join(seen, "\n"), want)
			}
		})
	}
	for name, request := range map[string]string{
		"a body":              "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
		"a chunked body":      "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"a body too large":    "GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\nConnection: close\r\n\r\n" + strings.Repeat("a", 5000000),
		"a query":             "GET /probe/app/readiness?a=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"another path":        "GET /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"a path beyond":       "GET /probe/app/readiness/../../../admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"the redirect's path": "GET /ok HTTP/1.1\r\nHost: " + at + "\r\nConnection: close\r\n\r\n",
		"POST":                "POST /probe/app/readiness HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"HEAD":                "HEAD /probe/app/readiness HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"CONNECT":             "CONNECT " + at + " HTTP/1.1\r\nHost: a\r\n\r\n",
		"HTTP/2":              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		t.Run(name+" is not passed on", func(t *testing.T) {
			code := send(t, proxy, request)
			if seen := app.seen(); len(seen) > 0 || code < 400 {
				t.Errorf("answer %d, and the application saw\n%s\nwant nothing", code, strings.Join(seen, "\n"))
			}
		})
	}
}

// send gives the status of the answer to bytes, 599 if the proxy closes without one.
func send(t *testing.T, to, request string) int {
	t.Helper()
	c, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	go io.WriteString(c, request)
	answers := bufio.NewReader(c)
	for {
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			return 599
		}
		_, _ = io.Copy(io.Discard, response.Body)
		if response.StatusCode >= http.StatusOK {
			return response.StatusCode
		}
	}
}

// A port that is free until something is opened at it.
type port struct {
	port     uint16
	listener net.Listener
}

func reserved(t *testing.T) *port {
	t.Helper()
	return &port{port: envoytest.FreePort(t)}
}

func (p *port) listen(t *testing.T) {
	t.Helper()
	var err error
	if p.listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.port)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
}

func (p *port) close() { _ = p.listener.Close() }

// open accepts connections and keeps them, as a database that waits for its
// client does; it gives what each client sent until it closed.
func (p *port) open(t *testing.T) <-chan string {
	p.listen(t)
	sent := make(chan string, 100)
	go func() {
		for {
			c, err := p.listener.Accept()
			if err != nil {
				return
			}
			go func() {
				all, _ := io.ReadAll(c)
				sent <- string(all)
				<-t.Context().Done()
				c.Close()
			}()
		}
	}()
	return sent
}

// serve answers health checks, and gives the metadata of each.
func (p *port) serve(t *testing.T, states healthpb.HealthServer, options ...grpc.ServerOption) (asked <-chan metadata.MD, stop func()) {
	p.listen(t)
	seen := make(chan metadata.MD, 100)
	server := grpc.NewServer(append(options, grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if _, ok := ctx.Deadline(); !ok {
			return nil, status.Error(codes.InvalidArgument, "a health check without a deadline")
		}
		md, _ := metadata.FromIncomingContext(ctx)
		seen <- md
		return handler(ctx, request)
	}))...)
	healthpb.RegisterHealthServer(server, states)
	go server.Serve(p.listener)
	t.Cleanup(server.Stop)
	return seen, server.Stop
}
