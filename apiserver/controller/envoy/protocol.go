// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

const httpOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// protocolOptions makes a cluster speak p to the endpoints of a Service; nil for TCP.
// What was detected travels on as it came.
func protocolOptions(p model.Protocol) map[string]*anypb.Any {
	return limitedOptions(p, responseLimits(maxForwardedHeaders, maxForwardedHeadersKB))
}

// applicationOptions are protocolOptions for the proxy's own application.
func applicationOptions(p model.Protocol) map[string]*anypb.Any {
	return limitedOptions(p, responseLimits(maxHeaders, maxHeadersKB))
}

func responseLimits(headers, kb uint32) *corev3.HttpProtocolOptions {
	return &corev3.HttpProtocolOptions{MaxHeadersCount: u32(headers), MaxResponseHeadersKb: u32(kb)}
}

func limitedOptions(p model.Protocol, limits *corev3.HttpProtocolOptions) map[string]*anypb.Any {
	switch p {
	case model.ProtocolHTTP1:
		return http1Upstream(limits)
	case model.ProtocolHTTP2, model.ProtocolGRPC:
		return http2UpstreamWith(limits, http2Options())
	case model.ProtocolDetect:
		return downstreamProtocol(limits)
	default:
		return nil
	}
}

func downstreamProtocol(common *corev3.HttpProtocolOptions) map[string]*anypb.Any {
	return map[string]*anypb.Any{
		httpOptionsKey: pack(&httpv3.HttpProtocolOptions{
			CommonHttpProtocolOptions: common,
			UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
				UseDownstreamProtocolConfig: &httpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
					HttpProtocolOptions:  &corev3.Http1ProtocolOptions{EnableTrailers: true, HeaderKeyFormat: keepCase()},
					Http2ProtocolOptions: http2Options(),
				},
			},
		}),
	}
}

func http1Upstream(common *corev3.HttpProtocolOptions) map[string]*anypb.Any {
	return upstreamOptions(common, &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{
			HttpProtocolOptions: &corev3.Http1ProtocolOptions{EnableTrailers: true, HeaderKeyFormat: keepCase()},
		},
	})
}

func http2Upstream(options *corev3.Http2ProtocolOptions) map[string]*anypb.Any {
	return http2UpstreamWith(nil, options)
}

func http2UpstreamWith(common *corev3.HttpProtocolOptions, options *corev3.Http2ProtocolOptions) map[string]*anypb.Any {
	return upstreamOptions(common, &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: options},
	})
}

func upstreamOptions(common *corev3.HttpProtocolOptions, explicit *httpv3.HttpProtocolOptions_ExplicitHttpConfig) map[string]*anypb.Any {
	return map[string]*anypb.Any{
		httpOptionsKey: pack(&httpv3.HttpProtocolOptions{
			CommonHttpProtocolOptions: common,
			UpstreamProtocolOptions:   &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: explicit},
		}),
	}
}
