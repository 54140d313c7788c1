// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Each case is what DATAPLANE.md, "Set on purpose", says, in its words; the part of
// a feature, or the golden, that shows it; and what is there.
func TestEverythingSetOnPurposeIsInAGolden(t *testing.T) {
	const http1, http2, common = "base/outbound", "service-grpc-dual-stack/outbound", "base/common"
	texts := map[string]string{}
	const open, tcp = "base/inbound", "workload-tcp-ends-with-its-certificate/inbound"
	for _, c := range []struct {
		line, golden string
		// want begins with "!" where it is what must not be there.
		want []string
	}{
		{"route timeout 0 unless asked", http1, []string{"name: default\n      route:\n        cluster: out/bookstore/bookstore:80\n        timeout: 0s"}},
		{"route timeout 0 unless asked, inbound", open, []string{"        cluster: inbound/http1\n        timeout: 0s"}},
		{"x-envoy-* headers suppressed", http1, []string{"suppress_envoy_headers: true"}},
		{"x-envoy-* headers suppressed, inbound", open, []string{"suppress_envoy_headers: true"}},
		{"stream idle timeout off for gRPC and WebSocket", open, []string{
			"name: grpc\n      route:\n        cluster: inbound/http1\n        idle_timeout: 0s",
			"name: websocket\n      route:\n        cluster: inbound/http1\n        idle_timeout: 0s",
			"stream_idle_timeout: 300s",
		}},
		{"circuit breakers at their maximum unless asked, towards the application", common, []string{
			"max_connections: 4294967295", "max_pending_requests: 4294967295", "max_requests: 4294967295", "max_retries: 4294967295",
		}},
		{"circuit breakers at their maximum unless asked", http1, []string{
			"max_connections: 4294967295", "max_pending_requests: 4294967295", "max_requests: 4294967295", "max_retries: 4294967295",
			"priority: HIGH",
		}},
		{"healthy_panic_threshold 0", http1, []string{"healthy_panic_threshold: {}"}},
		{"update_merge_window 0", http1, []string{"update_merge_window: 0s"}},
		{"websocket upgrade", open, []string{"upgrade_type: websocket", "allow_connect: true"}},
		{"websocket upgrade, outbound", http1, []string{"upgrade_type: websocket"}},
		{"an invalid message ends its own stream", open, []string{"override_stream_error_on_invalid_http_message: true"}},
		{"an invalid message ends its own stream, outbound", http1, []string{"override_stream_error_on_invalid_http_message: true"}},
		{"an invalid message ends its own stream, towards the application", common, []string{"override_stream_error_on_invalid_http_message: true"}},
		{"server header passed through", open, []string{"server_header_transformation: PASS_THROUGH"}},
		{"server header passed through, outbound", http1, []string{"server_header_transformation: PASS_THROUGH"}},
		{"HTTP/1.0 and trailers", open, []string{"accept_http_10: true", "enable_trailers: true"}},
		{"HTTP/1.0 and trailers, outbound", http1, []string{"accept_http_10: true", "enable_trailers: true"}},
		{"trailers, towards the application", common, []string{"enable_trailers: true"}},
		// Envoy makes trace headers its own where it traces.
		{"request id and trace headers kept", open, []string{"preserve_external_request_id: true", "!tracing:", "!request_headers_to_remove", "!generate_request_id"}},
		{"request id and trace headers kept, outbound", http1, []string{"preserve_external_request_id: true", "!tracing:", "!request_headers_to_remove", "!generate_request_id"}},
		{"header case kept for HTTP/1.1", open, []string{"envoy.http.stateful_header_formatters.preserve_case"}},
		{"header case kept for HTTP/1.1, towards the application", common, []string{"envoy.http.stateful_header_formatters.preserve_case"}},
		{"default retry of what no application has seen", http2, []string{"      retry_on: connect-failure,refused-stream,reset-before-request\n    routes:"}},
		{"default retry of what no application has seen, inbound", open, []string{"      retry_on: connect-failure,refused-stream,reset-before-request\n    routes:", "!previous_hosts"}},
		{"and of what may be served twice", http2, []string{"regex: GET|HEAD|OPTIONS|PUT|DELETE\n", "retry_on: connect-failure,refused-stream,reset-before-request,reset\n"}},
		{"no proxy rewrites a path", open, []string{"normalize_path: false", "!merge_slashes", "path_with_escaped_slashes_action: KEEP_UNCHANGED", "!name: path-not-normal"}},
		{"no proxy rewrites a path, outbound", http1, []string{"normalize_path: false", "!merge_slashes", "path_with_escaped_slashes_action: KEEP_UNCHANGED"}},
		{"where a path rule exists, the server's proxy answers 400 to a path that differs from its normal form", "workload-allow-of-http-leaves-tcp-closed/inbound", []string{"name: path-not-normal"}},
		{"an authority that is no host is answered 400", open, []string{"name: no-host"}},
		{"escaped slashes decoded by MeshConfig", "workload-by-what-meshconfig-says/inbound", []string{"path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD"}},
		// ALLOW is what Envoy does where nothing is said.
		{"underscores in headers", open, []string{"!headers_with_underscores_action"}},
		{"underscores in headers, outbound", http1, []string{"!headers_with_underscores_action"}},
		{"header count and size limits, outbound", http1, []string{"max_headers_count: 100", "max_request_headers_kb: 60"}},
		{"header count and size limits of responses, outbound", http1, []string{"max_headers_count: 128", "max_response_headers_kb: 64"}},
		{"header count and size limits", open, []string{"max_headers_count: 128", "max_request_headers_kb: 64"}},
		{"header count and size limits of responses", common, []string{"max_headers_count: 100", "max_response_headers_kb: 60"}},
		{"other upgrades ignored", open, []string{"ignore_http_11_upgrade:\n          - safe_regex:\n              regex: '[^Ww].*'"}},
		{"Expect: 100-continue left to the application", open, []string{"proxy_100_continue: true"}},
		{"reason phrases kept for HTTP/1.1", open, []string{"forward_reason_phrase: true"}},
		{"buffer limits", open, []string{"per_connection_buffer_limit_bytes: 262144"}},
		{"buffer limits, outbound", http1, []string{"per_connection_buffer_limit_bytes: 262144"}},
		{"max_connection_duration ≤ certificate lifetime", open, []string{"max_connection_duration: 3600s"}},
		{"max_connection_duration ≤ certificate lifetime, TCP", tcp, []string{"max_downstream_connection_duration: "}},
		{"overload manager", "bootstrap", []string{"envoy.resource_monitors.fixed_heap", "envoy.overload_actions.stop_accepting_requests"}},
		{"global connection limit", "bootstrap", []string{"max_active_downstream_connections: "}},
		{"admin on a unix socket", "bootstrap", []string{"admin:\n  address:\n    pipe:\n      mode: 432\n      path: /var/run/mesh-run/admin.sock"}},
		{"bounded logs, of requests", open, []string{
			"expression: response.code_details.startsWith('rbac_access_denied')", "envoy.access_loggers.extension_filters.process_ratelimit",
		}},
		{"bounded logs, of connections", tcp, []string{
			"expression: connection.termination_details.startsWith('rbac_access_denied')", "resource_name: refusals",
		}},
		{"bounded logs, by how much", "bootstrap", []string{"fill_interval: 0.500s\n    max_tokens: 50\n    tokens_per_fill: 1"}},
		{"bounded logs, of Envoy itself", "../../inject/testdata/plain", []string{"- --log-level\n    - warning", "- --component-log-level\n    - misc:error"}},
		{"TLS 1.3, X25519MLKEM768 then X25519", open, []string{
			"ecdh_curves:\n            - X25519MLKEM768\n            - X25519\n            tls_maximum_protocol_version: TLSv1_3\n            tls_minimum_protocol_version: TLSv1_3",
		}},
		{"lower only if MeshConfig says", "workload-by-what-meshconfig-says/inbound", []string{"tls_minimum_protocol_version: TLSv1_2"}},
		{"Strict: timeout 15 s, do not continue", open, []string{"listener_filters_timeout: 15s"}},
		{"Permissive ports: 5 s", "workload-permissive/inbound", []string{"listener_filters_timeout: 5s", "continue_on_listener_filters_timeout: true"}},
		{"a declared server-first port switches the TLS inspector off for itself", "workload-permissive-server-first/inbound", []string{
			"- filter_disabled:\n      or_match:\n        rules:\n        - destination_port_range:\n            end: 26\n            start: 25\n",
		}},
		{"upstream of inbound from source 127.0.0.6 or ::6", common, []string{"address: 127.0.0.6", "address: ::6", "type: ORIGINAL_DST"}},
	} {
		t.Run(c.line, func(t *testing.T) {
			if texts[c.golden] == "" {
				texts[c.golden] = textOf(t, c.golden)
			}
			golden := texts[c.golden]
			for _, want := range c.want {
				unwanted, not := strings.CutPrefix(want, "!")
				if strings.Contains(golden, unwanted) == not {
					t.Errorf("%s: not as it should be:\n%s", c.golden, want)
				}
			}
		})
	}
}

// textOf gives what the resources of a part of a feature say, or a golden of
// which there are no parts.
func textOf(t *testing.T, golden string) string {
	t.Helper()
	feature, part, ok := strings.Cut(golden, "/")
	if !ok || feature == ".." {
		text, err := os.ReadFile("testdata/" + golden + ".out.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var resources []Resource
	for _, r := range readFiles(t, "../testdata/features/"+feature+"/model.yaml", filepath.Base)["model.yaml"].resources(t, []byte(testRoots)) {
		in := "common"
		if r.View != "" {
			in = "inbound"
		} else if strings.HasPrefix(r.Name, "out/") {
			in = "outbound"
		}
		if in == part {
			resources = append(resources, r)
		}
	}
	text, err := YAML(resources)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStrictDoesNotContinueAfterTheTimeout(t *testing.T) {
	for name, want := range map[string]bool{"base": false, "workload-permissive": true} {
		in := readInputs(t)[name]
		w := in.Workloads[0].Workload
		l := inboundListener(in.Mesh, w, NextGenerations(nil, w))
		if l.ContinueOnListenerFiltersTimeout != want {
			t.Errorf("%s: continue_on_listener_filters_timeout is %v", name, l.ContinueOnListenerFiltersTimeout)
		}
	}
}

// HTTP filter order: deny RBAC → allow RBAC (two filters) → router; what comes between them
// has its place in the plan.
func TestHTTPFilterOrder(t *testing.T) {
	managers := 0
	for name, in := range readInputs(t) {
		for _, r := range in.resources(t, []byte(testRoots)) {
			if r.Name != ListenerInbound {
				continue
			}
			walk(t, r.Body.ProtoReflect(), func(m protoreflect.Message) {
				manager, ok := m.Interface().(*hcmv3.HttpConnectionManager)
				if !ok {
					return
				}
				managers++
				var order []string
				for _, f := range manager.HttpFilters {
					order = append(order, f.Name)
				}
				if got := strings.Join(order, " → "); got != "mesh.rbac.deny → mesh.rbac.allow → mesh.rbac.closed → envoy.filters.http.router" {
					t.Errorf("%s: %s", name, got)
				}
			})
		}
	}
	if managers == 0 {
		t.Error("no inbound connection manager seen")
	}
}

// The application speaks what its Service declares; the caller's ALPN does not
// choose it.
func TestTheCallersALPNDoesNotChooseTheApplicationsProtocol(t *testing.T) {
	for protocol, want := range map[model.Protocol]string{
		model.ProtocolHTTP1: ClusterInboundHTTP1,
		model.ProtocolHTTP2: ClusterInboundHTTP2,
		model.ProtocolGRPC:  ClusterInboundHTTP2,
	} {
		w := model.Workload{View: "0123456789abcdef", Ports: []model.InboundPort{{Number: 8080, Protocol: protocol}}}
		l := inboundListener(model.Mesh{TrustDomain: "cluster.local"}, w, NextGenerations(nil, w))
		chain := l.FilterChains[len(l.FilterChains)-1]
		if got := strings.Join(chain.FilterChainMatch.ApplicationProtocols, " "); got != "mesh-h2 mesh-http/1.1" {
			t.Errorf("%s: the chain of requests takes %q", protocol, got)
		}
		r, err := inboundRoutes(model.Mesh{TrustDomain: "cluster.local"}, w, w.Ports[0])
		if err != nil {
			t.Fatal(err)
		}
		out, err := YAML([]Resource{r})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(out), "cluster: "+want+"\n") {
			t.Errorf("%s: requests do not go to %s:\n%s", protocol, want, out)
		}
	}
}
