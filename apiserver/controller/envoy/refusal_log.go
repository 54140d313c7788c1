// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
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

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// What a proxy logs of the calls that it refuses: this many lines at once, then
// one each refusalInterval, of requests and connections together. Whoever floods
// it with calls fills no disk, and the counters count them all.
const (
	refusalBurst    = 50
	refusalInterval = 500 * time.Millisecond
	refusalBudget   = "refusals"
)

// How many bytes a field of a line has at most, before JSON escapes them: a
// stranger may have written what is in it. maxCaller holds every name that the
// mesh gives, with the longest trust domain, namespace and account; maxReason
// those of three policies.
const (
	maxCaller = len("spiffe://") + 255 + len("/ns/") + 63 + len("/sa/") + 253
	maxReason = 1024
)

// What a refusal is: one of RBAC, and of requests also one of a route, by the form of
// host or path; of connections also a handshake that failed, and a connection that no
// chain takes, as one in plaintext.
const (
	requestIsRefused    = `response.code_details.startsWith('rbac_access_denied') || response.code_details == 'direct_response'`
	connectionIsRefused = `connection.termination_details.startsWith('rbac_access_denied') || connection.transport_failure_reason != '' || response.code_details == 'filter_chain_not_found'`
)

// refusedRequests logs why a request was refused: response_code_details, and the
// route, which has a telling name where it refuses by itself.
func refusedRequests() []*accesslogv3.AccessLog {
	filters := []*accesslogv3.AccessLogFilter{failed(), expression(requestIsRefused)}
	return refusals(filters, map[string]string{
		"refused": attribute("response.code_details", maxReason),
		"route":   "%ROUTE_NAME%",
		"method":  "%REQ(:METHOD):16%",
		"host":    "%REQ(:AUTHORITY):128%",
		"path":    "%PATH(NQ:PATH):256%",
		"request": "%REQ(X-REQUEST-ID):64%",
	})
}

// refusedConnections logs why a connection was refused. The caller is whom its
// certificate names first; a handshake that failed has not verified it.
func refusedConnections() []*accesslogv3.AccessLog {
	return refusals([]*accesslogv3.AccessLogFilter{expression(connectionIsRefused)}, map[string]string{
		"refused":   attribute("connection.termination_details", maxReason),
		"handshake": attribute("connection.transport_failure_reason", maxReason),
		"details":   attribute("response.code_details", maxReason),
	})
}

// attribute says one of Envoy's attributes, cut: the operators that say the same
// take no length.
func attribute(name string, most int) string { return fmt.Sprintf("%%CEL(%s):%d%%", name, most) }

// refusals logs what all filters let pass, while the budget lasts: it is asked
// last, so that only refusals use it up.
func refusals(filters []*accesslogv3.AccessLogFilter, fields map[string]string) []*accesslogv3.AccessLog {
	format := &structpb.Struct{Fields: map[string]*structpb.Value{
		"time":   structpb.NewStringValue("%START_TIME%"),
		"caller": structpb.NewStringValue(attribute("connection.uri_san_peer_certificate", maxCaller)),
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
		DynamicConfig: &ratelimitv3.DynamicTokenBucket{ResourceName: refusalBudget, ConfigSource: fromFile(sidecar.RefusalBudget)},
	}))
	return []*accesslogv3.AccessLog{{
		Name: "envoy.access_loggers.stdout",
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
			AndFilter: &accesslogv3.AndFilter{Filters: filters},
		}},
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(log)},
	}}
}

// failed spares all requests but those that fail the expression. The status of gRPC
// is that of a call, whose answer is 200, and what other requests' is translated to.
func failed() *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_GrpcStatusFilter{GrpcStatusFilter: &accesslogv3.GrpcStatusFilter{
		Statuses: []accesslogv3.GrpcStatusFilter_Status{accesslogv3.GrpcStatusFilter_PERMISSION_DENIED, accesslogv3.GrpcStatusFilter_INTERNAL},
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

// refusalTokens is the file sidecar.RefusalBudget. It is a file since a filter of
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
