// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// handHead begins a bootstrap that somebody has written, with the files of a pod's
// certificate and roots.
const handHead = `
admin: {address: {pipe: {path: /var/run/mesh/admin.sock}}}
node: {id: by-hand, cluster: by-hand}
static_resources:
  secrets:
  - name: roots
    validation_context: {trusted_ca: {filename: /var/run/secrets/mesh/roots/roots.pem}}
  - name: identity
    tls_certificate:
      certificate_chain: {filename: /var/run/secrets/mesh/identity/credentialbundle.pem}
      private_key: {filename: /var/run/secrets/mesh/identity/credentialbundle.pem}
`

// handTLS is the same mTLS as the mesh's, in flow style since it stands at several
// depths.
const handTLS = `common_tls_context: {alpn_protocols: [h2], tls_params: {tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3, ecdh_curves: [X25519MLKEM768, X25519]}, tls_certificate_sds_secret_configs: [{name: identity}], combined_validation_context: {default_validation_context: {match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: "spiffe://cluster.local/ns/bench/sa/default"}}]}, validation_context_sds_secret_config: {name: roots}}}
`

// bareClient takes the address of the server's Envoy.
const bareClient = handHead + `  listeners:
  - name: out
    address: {socket_address: {address: 127.0.0.1, port_value: 9000}}
    filter_chains:
    - filters:` + bareHTTP + `  clusters:
  - name: to
    type: STATIC
    load_assignment:
      cluster_name: to
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: 9001}}}}]}]
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        ` + handTLS

// bareServer calls the application on loopback.
const bareServer = handHead + `  listeners:
  - name: in
    address: {socket_address: {address: 0.0.0.0, port_value: 9001}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          ` + handTLS + `      filters:` + bareHTTP + `  clusters:
  - name: to
    type: STATIC
    load_assignment:
      cluster_name: to
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}}]}]
`

// bareHTTP is a manager that routes all to the one cluster.
const bareHTTP = `
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: to}
`
