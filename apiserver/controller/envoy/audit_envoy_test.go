//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
)

// TestEnvoyAuditChangesNoVerdictAndIsCounted has a real Envoy with Audit policies on
// an open HTTP port and an open TCP port push what its shadow rules counted.
func TestEnvoyAuditChangesNoVerdictAndIsCounted(t *testing.T) {
	anonymousDeny := model.Rule{Name: "shop/no-admin/paths", To: []model.Match{{Kind: model.MatchHTTP, Paths: []model.PathMatch{{Type: model.ValueExact, Value: "/admin"}}}}}
	readers := model.Rule{Name: "shop/readers/0", From: []model.Source{{Authenticated: true}}, To: []model.Match{{Kind: model.MatchAny}}}
	audit := model.Audit{
		Closed: true, Deny: []model.Rule{anonymousDeny}, Allow: []model.Rule{readers},
		DenyPolicies: []string{"shop/no-admin"}, AllowPolicies: []string{"shop/readers"},
	}
	server := telemetry.New(telemetry.Options{
		View:    func(context.Context) (string, error) { return "view", nil },
		Audited: func(string) map[uint16]model.Audit { return map[uint16]model.Audit{8080: audit, 9090: audit} },
	})
	web, tcp := startAudited(t, server, model.Access{Audit: &audit})

	for _, path := range []string{"/admin", "/books", "/books"} {
		answer, err := http.Get(web + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s: an Audit policy changed the verdict", path, answer.Status)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	want := map[string]telemetry.Counts{"shop/no-admin": {Denied: 1}, "shop/readers": {Denied: 3}}
	for policy, counts := range want {
		for server.Counts(policy) != counts {
			if time.Now().After(deadline) {
				t.Fatalf("%s has counts %+v, want %+v", policy, server.Counts(policy), counts)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}

	conn, err := net.Dial("tcp", tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	for server.Counts("shop/readers").Denied != 4 || server.Counts("shop/no-admin").Denied != 2 {
		if time.Now().After(deadline) {
			t.Fatalf("after a TCP connection the counts are %+v and %+v", server.Counts("shop/readers"), server.Counts("shop/no-admin"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// startAudited runs an Envoy whose port 8080 is HTTP and whose port 9090 is TCP
// to the mesh, and gives their addresses here.
func startAudited(t *testing.T, server *telemetry.Server, access model.Access) (web, tcp string) {
	t.Helper()
	binary := envoytest.Binary(t)
	collector := listen(t)
	g := grpc.NewServer()
	server.Register(g)
	go func() { _ = g.Serve(collector) }()
	t.Cleanup(g.Stop)

	m := model.Mesh{TrustDomain: "cluster.local"}
	manager := inboundManager(m, "in/8080", "in/view/8080")
	deny, err := httpDeny(m, access)
	if err != nil {
		t.Fatal(err)
	}
	allow, err := httpAllow(m, access)
	if err != nil {
		t.Fatal(err)
	}
	manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
		Name:                 "in/view/8080",
		TypedPerFilterConfig: perRouteRBAC(deny, allow),
		VirtualHosts: []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: anyPath()},
			Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: http.StatusOK}},
		}}}},
	}}
	filters := []*listenerv3.Filter{}
	for i, pair := range []func(model.Mesh, model.Access) (rbacPair, error){networkDeny, networkAllow} {
		p, err := pair(m, access)
		if err != nil {
			t.Fatal(err)
		}
		r, err := networkRBAC(fmt.Sprint("rbac", i), "view", "in/9090", p)
		if err != nil {
			t.Fatal(err)
		}
		body := &networkrbacv3.RBAC{}
		unpackExtension(t, r, body)
		filters = append(filters, networkFilter(r.Name, body))
	}
	filters = append(filters, networkFilter(tcpProxyFilter, tcpProxy("in/9090", clusterXDS)))
	webPort, tcpPort := freePort(t), freePort(t)
	xds := staticCluster(clusterXDS, socketAddress("127.0.0.1", portOf(collector)))
	xds.TypedExtensionProtocolOptions = http2Upstream(http2Options())
	config := &bootstrapv3.Bootstrap{
		StatsSinks:         []*metricsv3.StatsSink{auditSink()},
		StatsFlushInterval: dur(200 * time.Millisecond),
		StatsConfig:        statsConfig(),
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters: []*clusterv3.Cluster{xds},
			Listeners: []*listenerv3.Listener{
				{Name: "web", Address: socketAddress("127.0.0.1", webPort), FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{managerFilter(manager)}}}},
				{Name: "tcp", Address: socketAddress("127.0.0.1", tcpPort), FilterChains: []*listenerv3.FilterChain{{Filters: filters}}},
			},
		},
	}
	yaml, err := messageYAML(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bootstrap.yaml")
	if err := os.WriteFile(file, yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var output strings.Builder
	cmd := exec.CommandContext(ctx, binary, "-c", file, "--log-level", "warning", "--use-dynamic-base-id", "--concurrency", "1")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	end := func() { once.Do(func() { stop(); _ = cmd.Wait() }) }
	t.Cleanup(func() {
		end()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	web, tcp = fmt.Sprintf("http://127.0.0.1:%d", webPort), fmt.Sprintf("127.0.0.1:%d", tcpPort)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", strings.TrimPrefix(web, "http://")); err == nil {
			conn.Close()
			return web, tcp
		}
		if time.Now().After(deadline) {
			end()
			t.Fatalf("Envoy does not listen: %s", output.String())
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func portOf(l net.Listener) uint16 { return uint16(l.Addr().(*net.TCPAddr).Port) }

// freePort gives a port that nobody listens on.
func freePort(t *testing.T) uint16 {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return portOf(l)
}

// unpackExtension reads the configuration in an ECDS resource.
func unpackExtension(t *testing.T, r Resource, into proto.Message) {
	t.Helper()
	var extension corev3.TypedExtensionConfig
	if err := r.Body.UnmarshalTo(&extension); err != nil {
		t.Fatal(err)
	}
	if err := extension.TypedConfig.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
}
