// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"net/http"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/process_ratelimit/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// What a proxy logs of the calls that it refuses: this many lines at once, then
// one each refusalInterval, of requests and connections together. Whoever floods
// it with calls fills no disk, and the counters count them all.
const (
	refusalBurst    = 50
	refusalInterval = 500 * time.Millisecond
	refusalBudget   = "refusals"
)

// What a refusal is: one of RBAC; of connections also a handshake that failed,
// and a connection that no chain takes, as one in plaintext.
const (
	requestIsRefused    = `response.code_details.startsWith('rbac_access_denied')`
	connectionIsRefused = `connection.termination_details.startsWith('rbac_access_denied') || connection.transport_failure_reason != '' || response.code_details == 'filter_chain_not_found'`
)

// refusedRequests logs why a request was refused: response_code_details.
func refusedRequests() []*accesslogv3.AccessLog {
	filters := []*accesslogv3.AccessLogFilter{forbidden(), expression(requestIsRefused)}
	return refusals(filters, map[string]string{
		"refused": "%RESPONSE_CODE_DETAILS%",
		"method":  "%REQ(:METHOD):16%",
		"host":    "%REQ(:AUTHORITY):128%",
		"path":    "%PATH(NQ:PATH):256%",
		"request": "%REQ(X-REQUEST-ID):64%",
	})
}

// refusedConnections logs why a connection was refused. The caller is whom its
// certificate names; a handshake that failed has not verified it.
func refusedConnections() []*accesslogv3.AccessLog {
	return refusals([]*accesslogv3.AccessLogFilter{expression(connectionIsRefused)}, map[string]string{
		"refused":   "%CONNECTION_TERMINATION_DETAILS%",
		"handshake": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
		"details":   "%RESPONSE_CODE_DETAILS%",
	})
}

// refusals logs what all filters let pass, while the budget lasts: it is asked
// last, so that only refusals use it up.
func refusals(filters []*accesslogv3.AccessLogFilter, fields map[string]string) []*accesslogv3.AccessLog {
	format := &structpb.Struct{Fields: map[string]*structpb.Value{
		"time":   structpb.NewStringValue("%START_TIME%"),
		"caller": structpb.NewStringValue("%DOWNSTREAM_PEER_URI_SAN%"),
		"from":   structpb.NewStringValue("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"),
		"to":     structpb.NewStringValue("%DOWNSTREAM_LOCAL_ADDRESS%"),
	}}
	for name, value := range fields {
		format.Fields[name] = structpb.NewStringValue(value)
	}
	log := &streamv3.StdoutAccessLog{AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
		Format:          &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: format},
		OmitEmptyValues: true,
	}}}
	filters = append(filters, logFilter("envoy.access_loggers.extension_filters.process_ratelimit", &ratelimitv3.ProcessRateLimitFilter{
		DynamicConfig: &ratelimitv3.DynamicTokenBucket{ResourceName: refusalBudget, ConfigSource: fromFile(model.RefusalBudget)},
	}))
	return []*accesslogv3.AccessLog{{
		Name: "envoy.access_loggers.stdout",
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
			AndFilter: &accesslogv3.AndFilter{Filters: filters},
		}},
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(log)},
	}}
}

// forbidden spares all requests but those with 403 the expression.
func forbidden() *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{StatusCodeFilter: &accesslogv3.StatusCodeFilter{
		Comparison: &accesslogv3.ComparisonFilter{
			Op:    accesslogv3.ComparisonFilter_EQ,
			Value: &corev3.RuntimeUInt32{DefaultValue: http.StatusForbidden, RuntimeKey: "mesh.refusal.status"},
		},
	}}}
}

func expression(text string) *accesslogv3.AccessLogFilter {
	return logFilter("envoy.access_loggers.extension_filters.cel", &celv3.ExpressionFilter{Expression: text})
}

func logFilter(name string, config proto.Message) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{Name: name, ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: pack(config)}},
	}}
}

// refusalTokens is the file model.RefusalBudget. It is a file since a filter of
// access logs takes its budget from no other place than a discovery service, and
// is the same for the pod's life.
func refusalTokens() *discoveryv3.Resource {
	return &discoveryv3.Resource{
		Name:    refusalBudget,
		Version: "1",
		Resource: pack(&typev3.TokenBucket{
			MaxTokens:     refusalBurst,
			TokensPerFill: u32(1),
			FillInterval:  dur(refusalInterval),
		}),
	}
}
