//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"k8s.io/component-base/metrics/testutil"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoy drives a real Envoy, whose path is in MESH_ENVOY, through a
// service's life: warm-up, endpoints, a new cluster under traffic, a changed
// cluster, a refusal, a new server, an end.
func TestEnvoy(t *testing.T) {
	h := newHarness(t)
	// A busy machine's Envoy may warm a cluster up for longer than routes wait.
	h.warmUp = patience
	a := pod("a", "v1")
	one, two := backend(t, "one"), backend(t, "two")
	port := freePort(t)
	fixed := []envoy.Resource{httpListener(t, port), accessFilter(t, true)}
	h.start([]model.Proxy{a}, append(fixed,
		edsCluster(t, "one", 1), assignment(t, "one", one), routeTo(t, "one"))...)
	admin := h.startEnvoy(a)
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	acked := func() bool { return h.state("v1").Acked == 1 && len(h.state("").Nacks) == 0 }

	h.eventually("warmed up and ACKed", acked)
	waitFor(t, "the first answer", func() bool { return get(url) == "200 one" })

	t.Run("changed endpoints are used", func(t *testing.T) {
		h.Apply(Update{Set: []envoy.Resource{assignment(t, "one", two)}})
		waitFor(t, "the other backend", func() bool { return get(url) == "200 two" })
		h.Apply(Update{Set: []envoy.Resource{assignment(t, "one", one)}})
		waitFor(t, "the first backend", func() bool { return get(url) == "200 one" })
	})

	t.Run("a filter by ECDS obeys", func(t *testing.T) {
		h.Apply(Update{Set: []envoy.Resource{accessFilter(t, false)}})
		waitFor(t, "a refusal", func() bool { return strings.HasPrefix(get(url), "403") })
		h.Apply(Update{Set: []envoy.Resource{accessFilter(t, true)}})
		waitFor(t, "an admission", func() bool { return get(url) == "200 one" })
	})

	t.Run("a route that moves to a new cluster loses no request", func(t *testing.T) {
		for i := range 20 {
			from, to := "one", fmt.Sprint("new-", i)
			if i > 0 {
				from = fmt.Sprint("new-", i-1)
			}
			var failures, requests atomic.Int32
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for ctx.Err() == nil {
					if answer := get(url); !strings.HasPrefix(answer, "200") {
						failures.Add(1)
						t.Log(answer)
					}
					requests.Add(1)
				}
			}()
			waitFor(t, "traffic", func() bool { return requests.Load() > 10 })
			address := []string{one, two}[i%2]
			h.Apply(Update{
				Set: []envoy.Resource{edsCluster(t, to, 1), assignment(t, to, address), routeTo(t, to)},
				Remove: []envoy.Key{
					{TypeURL: clusters.typeURL(), Name: from}, {TypeURL: endpoints.typeURL(), Name: from},
				},
			})
			waitFor(t, "the old cluster's end", func() bool {
				return !strings.Contains(admin("/clusters"), "\n"+from+"::") && strings.Contains(admin("/clusters"), to+"::")
			})
			stop()
			<-done
			if failures.Load() > 0 {
				t.Fatalf("%d of %d requests failed", failures.Load(), requests.Load())
			}
		}
	})

	t.Run("a changed cluster warms up with unchanged endpoints", func(t *testing.T) {
		h.Apply(Update{Set: []envoy.Resource{edsCluster(t, "new-19", 7)}})
		waitFor(t, "the changed cluster", func() bool {
			return strings.Contains(admin("/config_dump?resource=dynamic_active_clusters"), `"connect_timeout": "7s"`)
		})
		waitFor(t, "no warming cluster", func() bool {
			return strings.Contains(admin("/stats?filter=warming_clusters"), "warming_clusters: 0")
		})
	})

	t.Run("a refusal is kept with Envoy's words and ends with the next good version", func(t *testing.T) {
		good := httpListener(t, port)
		bad := unknownFilterListener(t)
		h.Apply(Update{Set: []envoy.Resource{bad, accessFilter(t, false)}})
		h.eventually("the NACK is shown", func() bool {
			nacks := h.state("v1").Nacks
			return len(nacks) == 1 && nacks[0].Name == "inbound" && strings.Contains(nacks[0].Message, "inbound")
		})
		t.Log(h.state("v1").Nacks[0].Message)
		waitFor(t, "a refusal", func() bool { return strings.HasPrefix(get(url), "403") })
		h.Apply(Update{Set: []envoy.Resource{good, accessFilter(t, true)}})
		h.eventually("the NACK is gone", acked)
		waitFor(t, "an admission", func() bool { return strings.HasPrefix(get(url), "200") })
	})

	t.Run("a new server resends nothing", func(t *testing.T) {
		h.stopServer()
		before := totalPushes(t)
		h.serve()
		h.start([]model.Proxy{a}, append(fixed,
			edsCluster(t, "new-19", 7), assignment(t, "new-19", two), routeTo(t, "new-19"))...)
		h.eventually("ACKed", acked)
		if got := totalPushes(t); got != before {
			t.Errorf("%v responses were sent again", got-before)
		}
		if answer := get(url); answer != "200 two" {
			t.Errorf("after the reconnect: %s", answer)
		}
	})

	t.Run("a removed listener is gone", func(t *testing.T) {
		h.Apply(Update{Remove: []envoy.Key{fixed[0].Key}})
		waitFor(t, "no listener", func() bool { return strings.Contains(get(url), "refused") })
	})
}

// startEnvoy runs Envoy as a pod until the test ends, and returns a reader of
// its admin interface.
func (h *harness) startEnvoy(p model.Proxy) func(path string) string {
	h.Helper()
	binary := os.Getenv("MESH_ENVOY")
	if binary == "" {
		h.Fatal("this test needs a real Envoy: set MESH_ENVOY to the path of the binary")
	}
	dir := h.TempDir()
	leaf := h.ca.leaf(h, p.ID.String(), p.ServiceAccount, time.Hour)
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		h.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			h.Fatal(err)
		}
		return path
	}
	host, port, _ := net.SplitHostPort(h.address)
	bootstrap := fmt.Sprintf(bootstrapYAML, filepath.Join(dir, "admin.sock"), host, port,
		write("leaf.pem", "CERTIFICATE", leaf.Certificate[0]), write("key.pem", "PRIVATE KEY", key),
		write("ca.pem", "CERTIFICATE", h.ca.certificate.Raw))
	log, err := os.Create(filepath.Join(dir, "envoy.log"))
	if err != nil {
		h.Fatal(err)
	}
	command := exec.Command(binary, "--config-yaml", bootstrap, "--service-node", p.ID.String(), "--service-cluster", "test",
		"--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning", "--drain-time-s", "1")
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		if text, err := os.ReadFile(log.Name()); h.Failed() && err == nil {
			h.Logf("Envoy says:\n%s", text[:min(len(text), 8<<10)])
		}
	})
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "admin.sock"))
	}}}
	return func(path string) string {
		response, err := client.Get("http://admin" + path)
		if err != nil {
			return err.Error()
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return string(body)
	}
}

// bootstrapYAML has the injected proxy's bound on the size of expressions.
const bootstrapYAML = `
admin: {address: {pipe: {path: %q}}}
layered_runtime: {layers: [{name: static, static_layer: {re2.max_program_size.error_level: 1048576}}]}
dynamic_resources:
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [{envoy_grpc: {cluster_name: xds}}]
  cds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}
  lds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}
static_resources:
  clusters:
  - name: xds
    type: STATIC
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: xds
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: %s}}}}]}]
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context:
          tls_params: {tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}
          tls_certificates: [{certificate_chain: {filename: %q}, private_key: {filename: %q}}]
          validation_context: {trusted_ca: {filename: %q}}
`

// get asks on a new connection: "200 body", or the error.
func get(url string) string {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(response.StatusCode, " ", string(body))
}

func totalPushes(t *testing.T) float64 {
	t.Helper()
	total := 0.0
	for k := range kinds {
		n, err := testutil.GetCounterMetricValue(pushes.WithLabelValues(k.label()))
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

func backend(t *testing.T, name string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) }))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// application serves each connection on a port of loopback, until the test ends.
func application(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return listener.Addr().String()
}

func freePort(t *testing.T) uint32 { return uint32(envoytest.FreePort(t)) }

func overADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		InitialFetchTimeout:   durationpb.New(0), ResourceApiVersion: corev3.ApiVersion_V3,
	}
}

func socket(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func encode(t *testing.T, name, view string, m proto.Message) envoy.Resource {
	t.Helper()
	r, err := envoy.Encode(name, view, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func edsCluster(t *testing.T, name string, connectSeconds int64) envoy.Resource {
	return encode(t, name, "", &clusterv3.Cluster{
		Name: name, ConnectTimeout: &durationpb.Duration{Seconds: connectSeconds},
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: overADS()},
	})
}

func assignment(t *testing.T, name, address string) envoy.Resource {
	host, port, _ := net.SplitHostPort(address)
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, name, "", &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
			Endpoint: &endpointv3.Endpoint{Address: socket(host, uint32(number))},
		}}},
	}}})
}

func routeTo(t *testing.T, cluster string) envoy.Resource {
	return encode(t, "route", "", &routev3.RouteConfiguration{Name: "route", VirtualHosts: []*routev3.VirtualHost{{
		Name: "all", Domains: []string{"*"},
		Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}}},
		}},
	}}})
}

// accessFilter is an RBAC filter by ECDS that admits everybody or nobody.
func accessFilter(t *testing.T, admit bool) envoy.Resource {
	rules := &rbacconfigv3.RBAC{Action: rbacconfigv3.RBAC_ALLOW, Policies: map[string]*rbacconfigv3.Policy{}}
	if admit {
		rules.Policies["all"] = &rbacconfigv3.Policy{
			Permissions: []*rbacconfigv3.Permission{{Rule: &rbacconfigv3.Permission_Any{Any: true}}},
			Principals:  []*rbacconfigv3.Principal{{Identifier: &rbacconfigv3.Principal_Any{Any: true}}},
		}
	}
	return encode(t, "access", "v1", &corev3.TypedExtensionConfig{Name: "access", TypedConfig: packed(t, &rbacv3.RBAC{Rules: rules})})
}

func httpListener(t *testing.T, port uint32) envoy.Resource {
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix:     "test",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "route", ConfigSource: overADS()}},
		HttpFilters: []*hcmv3.HttpFilter{
			{Name: "access", ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
				ConfigSource: overADS(), TypeUrls: []string{typePrefix + "envoy.extensions.filters.http.rbac.v3.RBAC"},
			}}},
			{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})}},
		},
	}
	return encode(t, "inbound", "v1", &listenerv3.Listener{
		Name: "inbound", Address: socket("127.0.0.1", port),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, manager)},
		}}}},
	})
}

// unknownFilterListener is one that Envoy refuses.
func unknownFilterListener(t *testing.T) envoy.Resource {
	return encode(t, "inbound", "v1", &listenerv3.Listener{
		Name: "inbound", Address: socket("127.0.0.1", 1),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "unknown", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: &anypb.Any{TypeUrl: typePrefix + "no.such.Filter"}},
		}}}},
	})
}
