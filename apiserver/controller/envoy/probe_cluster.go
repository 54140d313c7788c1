// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"net/http"
	"strconv"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	mutationrulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	customresponsev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/custom_response/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	upstreamcodecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	localresponsev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/custom_response/local_response_policy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	tcppoolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/tcp/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// What an application may answer to a probe; Go's net/http, which the kubelet is
// made of, takes 10 MiB of headers in any number. Envoy takes 8 MiB.
const (
	maxProbeHeadersKB = 8192
	maxProbeHeaders   = 100000
)

// probeCluster speaks to the applications by one scheme.
func probeCluster(s ProbeScheme) (*clusterv3.Cluster, error) {
	c := originalDst(probeClusterName(s))
	c.LbConfig = &clusterv3.Cluster_OriginalDstLbConfig_{OriginalDstLbConfig: &clusterv3.Cluster_OriginalDstLbConfig{
		UseHttpHeader: true, HttpHeaderName: originalDestination,
	}}
	c.UpstreamBindConfig = inboundSource()
	options := probeOptions(s)
	switch s {
	case ProbeHTTP:
		options.UpstreamProtocolOptions = explicitHTTP1(probeHTTP1())
	case ProbeHTTPS:
		c.TransportSocket = unverifiedTLS()
		// As Go does, HTTP/2 where the server takes it.
		options.UpstreamProtocolOptions = &httpv3.HttpProtocolOptions_AutoConfig{AutoConfig: &httpv3.HttpProtocolOptions_AutoHttpConfig{
			HttpProtocolOptions: probeHTTP1(), Http2ProtocolOptions: http2Options(),
		}}
	case ProbeH2C, ProbeGRPC:
		options.UpstreamProtocolOptions = explicitHTTP2()
	case ProbeGRPCS:
		c.TransportSocket = unverifiedTLS("h2")
		options.UpstreamProtocolOptions = explicitHTTP2()
	case ProbeTCP:
		// An answer of 200 once connected, and no byte to the application.
		c.UpstreamConfig = &corev3.TypedExtensionConfig{
			Name: "envoy.filters.connection_pools.http.tcp", TypedConfig: pack(&tcppoolv3.TcpConnectionPoolProto{}),
		}
		return c, nil
	default:
		return nil, fmt.Errorf("probe scheme %q is none of %s, %s, %s, %s, %s and %s", s, ProbeHTTP, ProbeHTTPS, ProbeH2C, ProbeGRPC, ProbeGRPCS, ProbeTCP)
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptionsKey: pack(options)}
	return c, nil
}

// probeOptions send one request a connection, without the headers that are between
// the script and Envoy.
func probeOptions(s ProbeScheme) *httpv3.HttpProtocolOptions {
	var changes []*mutationrulesv3.HeaderMutation
	for _, name := range []string{originalDestination, "x-envoy-internal", "x-envoy-expected-rq-timeout-ms"} {
		changes = append(changes, removeHeader(name))
	}
	if s == ProbeHTTP {
		changes = append(changes, &mutationrulesv3.HeaderMutation{Action: &mutationrulesv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
			Header: &corev3.HeaderValue{Key: "connection", Value: "close"}, AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT,
		}}})
	}
	return &httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			MaxRequestsPerConnection: u32(1),
			MaxHeadersCount:          u32(maxProbeHeaders),
			MaxResponseHeadersKb:     u32(maxProbeHeadersKB),
		},
		HttpFilters: []*hcmv3.HttpFilter{
			httpFilter(mutationFilter, &headermutationv3.HeaderMutation{Mutations: &headermutationv3.Mutations{RequestMutations: changes}}),
			httpFilter("envoy.filters.http.upstream_codec", &upstreamcodecv3.UpstreamCodec{}),
		},
	}
}

func removeHeader(name string) *mutationrulesv3.HeaderMutation {
	return &mutationrulesv3.HeaderMutation{Action: &mutationrulesv3.HeaderMutation_Remove{Remove: name}}
}

// probeHTTP1 writes the names of headers as Go does.
func probeHTTP1() *corev3.Http1ProtocolOptions {
	return &corev3.Http1ProtocolOptions{
		AllowChunkedLength: true,
		HeaderKeyFormat: &corev3.Http1ProtocolOptions_HeaderKeyFormat{
			HeaderFormat: &corev3.Http1ProtocolOptions_HeaderKeyFormat_ProperCaseWords_{
				ProperCaseWords: &corev3.Http1ProtocolOptions_HeaderKeyFormat_ProperCaseWords{},
			},
		},
	}
}

func explicitHTTP1(options *corev3.Http1ProtocolOptions) *httpv3.HttpProtocolOptions_ExplicitHttpConfig_ {
	return &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: options},
	}}
}

func explicitHTTP2() *httpv3.HttpProtocolOptions_ExplicitHttpConfig_ {
	return &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: http2Options()},
	}}
}

// unverifiedTLS takes any certificate, and the protocols and ciphers that Go's
// crypto/tls offers.
func unverifiedTLS(alpn ...string) *corev3.TransportSocket {
	return tlsTransport(&tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		AlpnProtocols: alpn,
		TlsParams: &tlsv3.TlsParameters{
			TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
			CipherSuites: []string{
				"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
				"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
				"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
			},
			EcdhCurves: []string{"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"},
		},
	}})
}

// endOnceConnected ends the answer to a TCP probe, and with it the connection: else
// it lasts as long as the application keeps that open.
func endOnceConnected() *customresponsev3.CustomResponse {
	connected := &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{Action: &xdscorev3.TypedExtensionConfig{
		Name: "connected", TypedConfig: pack(&localresponsev3.LocalResponsePolicy{StatusCode: u32(http.StatusOK)}),
	}}}
	return &customresponsev3.CustomResponse{CustomResponseMatcher: matcherTree(&xdsmatcherv3.Matcher_MatcherTree{
		Input: dataInput("status", &matcherv3.HttpResponseStatusCodeMatchInput{}),
		TreeType: &xdsmatcherv3.Matcher_MatcherTree_ExactMatchMap{ExactMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{
			Map: map[string]*xdsmatcherv3.Matcher_OnMatch{strconv.Itoa(http.StatusOK): connected},
		}},
	})}
}
