// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// staticHead is a bootstrap as somebody writes it who wants what the mesh does
// for calls that leave: capture, a listener and a cluster each Service, mTLS.
const staticHead = handHead + `  listeners:
  - name: outbound
    address: {socket_address: {address: 127.0.0.1, port_value: 15001}}
    use_original_dst: true
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: none
          cluster: none
`

// staticListener takes a cluster IP (1), port 8080, and a name (2).
const staticListener = `  - name: %[2]s
    address: {socket_address: {address: %[1]s, port_value: 8080}}
    bind_to_port: false
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: %[2]s
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            name: %[2]s
            virtual_hosts:
            - name: %[2]s
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: %[2]s}
`

// staticCluster takes an endpoint's address (1) and a name (2).
const staticCluster = `  - name: %[2]s
    type: STATIC
    connect_timeout: 5s
    load_assignment:
      cluster_name: %[2]s
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %[1]s, port_value: 8080}}}}]}]
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        ` + handTLS

// newStatic starts an Envoy that no control plane tells anything.
func (s *session) newStatic(ctx context.Context, pod *corev1.Pod, addresses []string) (*envoyProcess, error) {
	var config strings.Builder
	config.WriteString(staticHead)
	for i, ip := range addresses {
		fmt.Fprintf(&config, staticListener, ip, serviceName(i))
	}
	config.WriteString("  clusters:\n  - {name: none, type: STATIC}\n")
	for i := range addresses {
		fmt.Fprintf(&config, staticCluster, pod.Status.PodIP, serviceName(i))
	}
	return s.startEnvoyIn(ctx, nil, pod, config.String())
}

// clusterIPs are the addresses of the Services, in their order.
func (s *session) clusterIPs(ctx context.Context, services int) ([]string, error) {
	list, err := s.host.CoreV1().Services(manyNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	by := map[string]string{}
	for _, service := range list.Items {
		by[service.Name] = service.Spec.ClusterIP
	}
	var addresses []string
	for i := range services {
		addresses = append(addresses, by[serviceName(i)])
	}
	return addresses, nil
}
