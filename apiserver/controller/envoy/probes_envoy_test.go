//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
)

// TestEnvoyChecksFollowTheApp holds that gRPC and TCP probes are green while the app
// answers, and red within two periods after it stops.
func TestEnvoyChecksFollowTheApp(t *testing.T) {
	tcp := listen(t)
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	rpc := listen(t)
	states, server := health.NewServer(), grpc.NewServer()
	healthpb.RegisterHealthServer(server, states)
	states.SetServingStatus("shop.Books", healthpb.HealthCheckResponse_SERVING)
	go server.Serve(rpc)
	t.Cleanup(server.Stop)

	ask := runProbes(t, []ProbeRoute{
		{Path: "/probe/db/liveness", Port: portOf(tcp), OriginalPath: "/", Scheme: ProbeTCP, Period: time.Second, Timeout: time.Second},
		{Path: "/probe/rpc/readiness", Port: portOf(rpc), OriginalPath: "/shop.Books", Scheme: ProbeGRPC, Period: time.Second, Timeout: time.Second},
		{Path: "/probe/rpc/startup", Port: portOf(rpc), OriginalPath: "/unknown", Scheme: ProbeGRPC, Period: time.Second, Timeout: time.Second},
	})
	ask(t, "/probe/db/liveness", http.StatusOK)
	ask(t, "/probe/rpc/readiness", http.StatusOK)
	ask(t, "/probe/rpc/startup", http.StatusServiceUnavailable)
	ask(t, "/probe/rpc/readiness?x", http.StatusNotFound)

	tcp.Close()
	states.SetServingStatus("shop.Books", healthpb.HealthCheckResponse_NOT_SERVING)
	ask(t, "/probe/db/liveness", http.StatusServiceUnavailable)
	ask(t, "/probe/rpc/readiness", http.StatusServiceUnavailable)
}

// TestEnvoyAsksAnHTTP2ProbeInHTTP2: a kubelet's HTTP/1.1 becomes what the app takes.
func TestEnvoyAsksAnHTTP2ProbeInHTTP2(t *testing.T) {
	app := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ready" || r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusTeapot)
		}
	})}
	app.Protocols.SetUnencryptedHTTP2(true)
	listener := listen(t)
	go app.Serve(listener)
	t.Cleanup(func() { _ = app.Close() })

	ask := runProbes(t, []ProbeRoute{
		{Path: "/probe/app/readiness", Port: portOf(listener), OriginalPath: "/ready", Scheme: ProbeH2C},
		{Path: "/probe/app/liveness", Port: portOf(listener), OriginalPath: "/alive", Scheme: ProbeH2C},
	})
	ask(t, "/probe/app/readiness", http.StatusOK)
	ask(t, "/probe/app/liveness", http.StatusTeapot)
	_ = app.Close()
	ask(t, "/probe/app/readiness", http.StatusServiceUnavailable)
}

// runProbes starts Envoy with the probe listener alone, and gives a function
// that waits for an answer.
func runProbes(t *testing.T, probes []ProbeRoute) func(t *testing.T, path string, want int) {
	params := testPod()
	params.PodIP, params.Probes = "127.0.0.1", probes
	config, err := bootstrapConfig(params)
	if err != nil {
		t.Fatal(err)
	}
	port := envoytest.FreePort(t)
	config.DynamicResources, config.StatsSinks = nil, nil
	config.Admin.Address = pipeAddress(filepath.Join(t.TempDir(), "admin.sock"))
	config.OverloadManager = nil
	var clusters []*clusterv3.Cluster
	for _, c := range config.StaticResources.Clusters {
		if strings.HasPrefix(c.Name, "probe/") {
			clusters = append(clusters, c)
		}
	}
	config.StaticResources.Clusters = clusters
	l := probeListener(params)
	l.Address, l.AdditionalAddresses = socketAddress("127.0.0.1", port), nil
	config.StaticResources.Listeners = []*listenerv3.Listener{l}
	raw, err := messageYAML(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bootstrap.yaml")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, envoytest.Binary(t), "-c", file, "--service-node", "shop/app/uid", "--service-cluster", "shop", "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = command.Wait() })
	return func(t *testing.T, path string, want int) {
		t.Helper()
		var got string
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
			if err != nil {
				got = err.Error()
				continue
			}
			response.Body.Close()
			if got = response.Status; response.StatusCode == want {
				return
			}
		}
		t.Errorf("%s: %s, want %d", path, got, want)
	}
}
