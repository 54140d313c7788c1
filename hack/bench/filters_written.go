// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// chainKind is what a filter chain has beside its end, which is a connection manager
// with a router, or a tcp_proxy: filters, each a line in flow style, and other fields
// of the manager.
type chainKind struct {
	name    string
	filters []string
	fields  string
	tcp     bool
}

// unusedInManager are kinds of connection managers that do the same: the first has
// nothing but a router, and what the others have is not used. The second is as the
// first, and says by how much runs differ.
var unusedInManager = append(append([]chainKind{{name: "router alone"}, {name: "router alone, again"}}, eachOff()...),
	chainKind{name: "all nine, off", filters: offFilters},
	chainKind{name: "filter_chain, off", filters: []string{off("filter_chain", "FilterChainConfig", "")}},
	chainKind{name: "local_ratelimit by ECDS, off", filters: []string{discoveredHTTP}},
	chainKind{name: "access log to standard output, filtered off", fields: filteredLog},
	chainKind{name: "access log that counts (stats)", fields: countingLog},
	chainKind{name: "tracing, no request sampled", fields: unsampledTracing},
)

// unusedBeforeTCP are the same of chains of connections. Their filters cannot be
// disabled; these limit nothing and refuse nothing.
var unusedBeforeTCP = []chainKind{
	{name: "tcp_proxy alone", tcp: true},
	{name: "rbac", tcp: true, filters: []string{before("rbac", "RBAC", "rules: {action: DENY}")}},
	{name: "rbac by ECDS", tcp: true, filters: []string{discoveredTCP}},
	{name: "local_ratelimit", tcp: true, filters: []string{before("local_ratelimit", "LocalRateLimit", "token_bucket: {max_tokens: 1000000, fill_interval: 1s}")}},
	{name: "connection_limit", tcp: true, filters: []string{before("connection_limit", "ConnectionLimit", "max_connections: 1000000")}},
}

// offFilters are filters that a route can enable.
var offFilters = []string{
	off("cors", "Cors", ""),
	off("fault", "HTTPFault", ""),
	off("local_ratelimit", "LocalRateLimit", "stat_prefix: limit"),
	off("ratelimit", "RateLimit", "domain: mesh, rate_limit_service: {grpc_service: {envoy_grpc: {cluster_name: app}}, transport_api_version: V3}"),
	off("jwt_authn", "JwtAuthentication", ""),
	off("ext_authz", "ExtAuthz", "grpc_service: {envoy_grpc: {cluster_name: app}}, transport_api_version: V3"),
	off("stateful_session", "StatefulSession", ""),
	off("tap", "Tap", "common_config: {admin_config: {config_id: mesh}}"),
	off("rbac", "RBAC", "rules: {action: DENY}"),
}

func eachOff() []chainKind {
	var kinds []chainKind
	for _, f := range offFilters {
		name, _, _ := strings.Cut(strings.TrimPrefix(f, "{name: "), ",")
		kinds = append(kinds, chainKind{name: name + ", off", filters: []string{f}})
	}
	return kinds
}

// off is a filter that is disabled, of a message in the package of that name.
func off(name, message, fields string) string {
	if fields != "" {
		fields = ", " + fields
	}
	return fmt.Sprintf(`{name: %[1]s, disabled: true, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.%[1]s.v3.%[2]s%[3]s}}`, name, message, fields)
}

// before is a filter of connections, of a message in the package of that name.
func before(name, message, fields string) string {
	return fmt.Sprintf(`{name: %[1]s, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.%[1]s.v3.%[2]s, stat_prefix: unused, %[3]s}}`, name, message, fields)
}

// These come by a discovery service, which is a file each.
const (
	discoveredHTTP = `{name: limit, disabled: true, config_discovery: {config_source: {path_config_source: {path: /var/run/mesh/limit.yaml}, resource_api_version: V3}, type_urls: [type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit]}}`
	discoveredTCP  = `{name: rules, config_discovery: {config_source: {path_config_source: {path: /var/run/mesh/rules.yaml}, resource_api_version: V3}, type_urls: [type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC]}}`
)

// discoveredFiles are those files.
var discoveredFiles = map[string]string{
	"limit.yaml": `resources: [{"@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig, name: limit, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, stat_prefix: limit}}]`,
	"rules.yaml": `resources: [{"@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig, name: rules, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC, stat_prefix: unused, rules: {action: DENY}}}]`,
}

// filteredLog is asked at the end of each request whether it logs, and does not.
const filteredLog = `
          access_log:
          - name: stdout
            filter: {status_code_filter: {comparison: {op: EQ, value: {default_value: 599, runtime_key: none}}}}
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {json_format: {time: "%START_TIME%", method: "%REQ(:METHOD)%", path: "%REQ(:PATH)%", code: "%RESPONSE_CODE%", duration: "%DURATION%", caller: "%DOWNSTREAM_PEER_URI_SAN%", to: "%UPSTREAM_CLUSTER%"}}`

// countingLog counts each request and measures how long it took.
const countingLog = `
          access_log:
          - name: stats
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config
              stats_scope: {prefix: mesh, max_counters: 1024}
              counters: [{stat: {name: requests, tags: [{name: code, value_format: "%RESPONSE_CODE%"}, {name: route, value_format: "%ROUTE_NAME%"}]}, value_fixed: 1}]
              histograms: [{stat: {name: duration, tags: [{name: route, value_format: "%ROUTE_NAME%"}]}, unit: Milliseconds, value_format: "%DURATION%"}]`

const unsampledTracing = `
          tracing:
            random_sampling: {value: 0}
            overall_sampling: {value: 0}
            client_sampling: {value: 0}
            provider:
              name: opentelemetry
              typed_config:
                "@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig
                service_name: bench
                grpc_service: {envoy_grpc: {cluster_name: app}}`

const writtenHead = `
admin: {address: {pipe: {path: /var/run/mesh/admin.sock}}}
node: {id: by-hand, cluster: by-hand}
static_resources:
  clusters:
  - name: app
    type: STATIC
    load_assignment:
      cluster_name: app
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}}]}]
  listeners:
`

// writtenListener takes a number (1) and a port (2); filters follow.
const writtenListener = `  - name: listener-%[1]d
    address: {socket_address: {address: 127.0.0.1, port_value: %[2]d}}
    filter_chains:
    - filters:
`

// writtenTCP is the end of a chain of connections.
const writtenTCP = `      - {name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: app}}
`

// writtenManager takes a manager's filters (1) and other fields (2).
const writtenManager = `      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          http_filters:
%[1]s          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                name: all
                route: {cluster: app}%[2]s
`

// writtenChains is a bootstrap with a listener for each of n chains.
func writtenChains(n int, kind func(i int) chainKind) string {
	var config strings.Builder
	config.WriteString(writtenHead)
	for i := range n {
		k := kind(i)
		fmt.Fprintf(&config, writtenListener, i, filterPort+i)
		if k.tcp {
			config.WriteString(listed("      - ", k.filters) + writtenTCP)
		} else {
			fmt.Fprintf(&config, writtenManager, listed("          - ", k.filters), k.fields)
		}
	}
	return config.String()
}

func listed(before string, lines []string) string {
	var list strings.Builder
	for _, line := range lines {
		list.WriteString(before + line + "\n")
	}
	return list.String()
}
