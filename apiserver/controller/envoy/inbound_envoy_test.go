//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"cmp"
	"context"
	"fmt"
	"io"
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
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
)

// testMesh is a mesh as MeshConfig has it by default.
var testMesh = model.Mesh{TrustDomain: "cluster.local"}

// inboundEnvoy is an Envoy with the inbound filters of a port of HTTP and one of
// TCP, both in plaintext.
type inboundEnvoy struct {
	// web is a URL, tcp and admin addresses.
	web, tcp, admin string
	output          *output
}

// output is what a process has written so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// startInbound runs an Envoy whose port 8080 is HTTP and whose port 9090 is TCP
// to the mesh. Requests that are admitted get 200, connections an echo. It pushes
// its counters to server, unless that is nil. What is given may add clusters.
func startInbound(t *testing.T, m model.Mesh, server *telemetry.Server, access model.Access, more ...func([]*clusterv3.Cluster) []*clusterv3.Cluster) inboundEnvoy {
	t.Helper()
	config := &bootstrapv3.Bootstrap{
		Node:               &corev3.Node{Id: "pod", Cluster: "shop"},
		StatsConfig:        statsConfig(),
		StatsFlushInterval: dur(200 * time.Millisecond),
		StaticResources:    &bootstrapv3.Bootstrap_StaticResources{},
	}
	if server != nil {
		collector := listen(t)
		g := grpc.NewServer()
		server.Register(g)
		go func() { _ = g.Serve(collector) }()
		t.Cleanup(g.Stop)
		xds := staticCluster(clusterXDS, socketAddress("127.0.0.1", portOf(collector)))
		xds.TypedExtensionProtocolOptions = http2Upstream(http2Options())
		config.StaticResources.Clusters = []*clusterv3.Cluster{xds}
		config.StatsSinks = []*metricsv3.StatsSink{auditSink()}
	}
	echo := staticCluster("echo", socketAddress("127.0.0.1", portOf(startEcho(t))))
	config.StaticResources.Clusters = append(config.StaticResources.Clusters, echo)
	for _, add := range more {
		config.StaticResources.Clusters = add(config.StaticResources.Clusters)
	}

	web, tcp, admin := envoytest.FreePort(t), envoytest.FreePort(t), envoytest.FreePort(t)
	config.Admin = &bootstrapv3.Admin{Address: socketAddress("127.0.0.1", admin)}
	// Envoy listens in this order, and the test waits for the last.
	config.StaticResources.Listeners = []*listenerv3.Listener{
		{Name: "tcp", Address: socketAddress("127.0.0.1", tcp), AccessLog: refusedConnections(), FilterChains: []*listenerv3.FilterChain{{Filters: connectionFilters(t, m, access)}}},
		{Name: "web", Address: socketAddress("127.0.0.1", web), FilterChains: []*listenerv3.FilterChain{{Filters: requestFilters(t, m, access)}}},
	}
	e := inboundEnvoy{
		web: fmt.Sprintf("http://127.0.0.1:%d", web), tcp: fmt.Sprintf("127.0.0.1:%d", tcp), admin: fmt.Sprintf("127.0.0.1:%d", admin),
		output: &output{},
	}
	e.run(t, config)
	return e
}

// requestFilters are those of port 8080.
func requestFilters(t *testing.T, m model.Mesh, access model.Access) []*listenerv3.Filter {
	t.Helper()
	port := model.InboundPort{Number: 8080, Protocol: model.ProtocolHTTP1, Access: access}
	routes := &routev3.RouteConfiguration{}
	decode(t, must(inboundRoutes(m, model.Workload{View: "view", Ports: []model.InboundPort{port}}, port))(t), routes)
	for _, r := range routes.VirtualHosts[0].Routes {
		if r.GetRoute() != nil {
			r.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: http.StatusOK}}
		}
	}
	filter := networkFilter(filters.Manager, inboundManager(m, "in/8080", routes.Name))
	withRoutes(t, filter, routes)
	return []*listenerv3.Filter{filter}
}

// connectionFilters are those of port 9090.
func connectionFilters(t *testing.T, m model.Mesh, access model.Access) []*listenerv3.Filter {
	t.Helper()
	var chain []*listenerv3.Filter
	for i, filter := range []func(name, view, statPrefix string, m model.Mesh, a model.Access) (Resource, error){networkDeny, networkAllow} {
		r, err := filter(fmt.Sprint("rbac", i), "view", "in/9090", m, access)
		if err != nil {
			t.Fatal(err)
		}
		body := &networkrbacv3.RBAC{}
		unpackExtension(t, r, body)
		chain = append(chain, networkFilter(r.Name, body))
	}
	return append(chain, networkFilter(filters.TCPProxy, tcpProxy("in/9090", "echo")))
}

// run starts Envoy and waits until it listens; it ends with the test.
func (e inboundEnvoy) run(t *testing.T, config *bootstrapv3.Bootstrap) {
	t.Helper()
	config.LayeredRuntime = runtime()
	yaml, err := messageYAML(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "bootstrap.yaml")
	for name, content := range map[string][]byte{
		filepath.Base(sidecar.RefusalBudget): []byte(testFiles(t).RefusalBudget),
		filepath.Base(file):                  []byte(strings.ReplaceAll(string(yaml), sidecar.FilesDirectory, dir)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, envoytest.Binary(t), "-c", file, "--log-level", "warning", "--use-dynamic-base-id", "--concurrency", "1", "--file-flush-interval-msec", "50")
	cmd.Stdout, cmd.Stderr = e.output, e.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Log(e.output)
		}
	})
	// A connection to a port of TCP would be counted.
	port := cmp.Or(strings.TrimPrefix(e.web, "http://"), e.tcp)
	eventually(t, "Envoy listens", func() bool {
		select {
		case <-ended:
			t.Fatal("Envoy has ended")
		default:
		}
		conn, err := net.Dial("tcp", port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// stat gives a statistic by its name in Envoy, "" if there is none.
func (e inboundEnvoy) stat(t *testing.T, name string) string {
	t.Helper()
	answer, err := http.Get("http://" + e.admin + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// eventually waits a minute at most for what must become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// startEcho answers every connection with what it sends.
func startEcho(t *testing.T) net.Listener {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l
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
