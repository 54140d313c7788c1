//go:build envoy && soak

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
)

// TestSoakEnvoyIsNotReadyWhileItsConfigurationIsWithheld: with its defaults Envoy
// calls itself LIVE after 30 s with no configuration at all (two subscriptions of
// 15 s, initial_fetch_timeout of ConfigSource), and the application would start.
func TestSoakEnvoyIsNotReadyWhileItsConfigurationIsWithheld(t *testing.T) {
	silent := listen(t)
	connected := make(chan struct{}, 1)
	go func() {
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			select {
			case connected <- struct{}{}:
			default:
			}
		}
	}()
	ready := startWithheld(t, portOf(silent))
	select {
	case <-connected:
	case <-time.After(time.Minute):
		t.Fatal("Envoy has not asked for its configuration")
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if status, body := ready(); status == http.StatusOK {
			t.Fatalf("Envoy calls itself ready (%s) with no configuration", body)
		}
	}
	if status, body := ready(); status != http.StatusServiceUnavailable {
		t.Errorf("Envoy answers %d %q at its end: the test shows nothing", status, body)
	}
}

// startWithheld starts Envoy by the pod's own bootstrap, but for the TLS of its
// control plane, which is at a port of this machine, and gives what its admin
// interface says of readiness.
func startWithheld(t *testing.T, port uint16) func() (int, string) {
	t.Helper()
	params := testPod()
	params.XDSHost, params.XDSPort = "127.0.0.1", port
	config, err := bootstrapConfig(params)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	admin := filepath.Join(dir, "admin.sock")
	config.Admin.Address = pipeAddress(admin)
	config.StaticResources.Listeners = nil
	config.OverloadManager = nil
	for _, c := range config.StaticResources.Clusters {
		if c.Name == clusterXDS {
			c.TransportSocket = nil
		}
	}
	raw, err := messageYAML(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "bootstrap.yaml")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, envoytest.Binary(t), "-c", file, "--service-node", "shop/app/uid", "--service-cluster", "shop", "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = command.Wait() })
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", admin)
	}}}
	return func() (int, string) {
		response, err := client.Get("http://admin/ready")
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
}
