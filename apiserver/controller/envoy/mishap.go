// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	statslogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// A listener filter reads ahead, and Envoy drops what it has read when the client
// closes before the filter knows enough. The statistics of a Service's listener
// count that; those of the inbound listener would not tell at which port, so a log
// counts there.
const (
	mishapScope = "mishap"
	// maxMishapCounters bounds the ports that are told apart. A stranger chooses
	// the ports, and could fill the proxy's memory.
	maxMishapCounters = 1024
	// mishapCounters are the statistics of both.
	mishapCounters = `listener\.out/.*\.downstream_listener_filter_remote_close|http\.out/.*\.downstream_cx_protocol_error|` +
		mishapScope + `\.(undetected|tls)\.port\.[0-9]+`
)

// What has happened to a connection that the inbound listener has not taken: it
// has no number where a filter had not come to its end, and no chain took it where
// the details say so. The inspector writes metadata for what is no TLS.
const (
	endedUndetected = `!has(connection.id) && !has(response.code_details)`
	isForeignTLS    = `response.code_details == 'filter_chain_not_found' && !('envoy.filters.listener.tls_inspector' in metadata.filter_metadata)`
)

// inboundMishaps count by port, at a listener where some port takes plaintext.
func inboundMishaps() []*accesslogv3.AccessLog {
	return []*accesslogv3.AccessLog{countByPort("undetected", endedUndetected), countByPort("tls", isForeignTLS)}
}

func countByPort(name, filter string) *accesslogv3.AccessLog {
	return &accesslogv3.AccessLog{
		Name:   "envoy.access_loggers.stats",
		Filter: expression(filter),
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&statslogv3.Config{
			StatsScope: &typev3.Scope{Prefix: mishapScope, MaxCounters: u32(maxMishapCounters)},
			Counters: []*statslogv3.Config_Counter{{
				Stat: &statslogv3.Config_Stat{
					Name: name,
					Tags: []*statslogv3.Config_Tag{{Name: "port", ValueFormat: "%DOWNSTREAM_LOCAL_PORT%"}},
				},
				ValueFixed: u64(1),
			}},
		})},
	}
}
