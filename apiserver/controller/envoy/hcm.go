// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	preservev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/header_formatters/preserve_case/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Limits of HTTP connections; the sizes and windows are those that Envoy's
// "Configuring Envoy as an edge proxy" gives, but for the buffer.
const (
	// maxHeaders and maxHeadersKB bound a request as its caller's proxy takes it, and
	// a response as the application's does. The other proxy takes more, since the
	// first adds headers of its own, and HTTP/2 counts the parts of the request line.
	maxHeaders            = 100
	maxHeadersKB          = 60
	maxForwardedHeaders   = 128
	maxForwardedHeadersKB = 64
	maxConcurrentStreams  = 1024
	streamWindow          = 64 << 10
	connectionWindow      = 1 << 20
	streamIdleTimeout     = 5 * time.Minute
	requestHeadersTimeout = 10 * time.Second
	// maxHTTPConnection holds for every lifetime of certificates, being the
	// shortest: a connection does not outlive the certificate that opened it. It
	// ends by GOAWAY or "connection: close", so no request is lost.
	maxHTTPConnection = minCertificateLifetime
)

// noHost is the host of a request that names none; no name ends in .invalid (RFC 6761).
const noHost = "none.invalid"

// connectionManager is what both directions have in common: routes by RDS, path
// and headers of the application left as they are.
func connectionManager(statPrefix, routes string) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix: statPrefix,
		CodecType:  hcmv3.HttpConnectionManager_AUTO,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource:    fromADS(),
			RouteConfigName: routes,
		}},
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			MaxHeadersCount: u32(maxHeaders),
			// As without a mesh. Over HTTP/2 a refusal would be a reset stream.
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_ALLOW,
		},
		HttpProtocolOptions: &corev3.Http1ProtocolOptions{
			AcceptHttp_10:   true,
			EnableTrailers:  true,
			HeaderKeyFormat: keepCase(),
			// Without one Envoy answers 400 to a request of HTTP/1.0 that names no host.
			DefaultHostForHttp_10: noHost,
			IgnoreHttp_11Upgrade:  ignoredUpgrades(),
		},
		Http2ProtocolOptions:         http2Options(),
		MaxRequestHeadersKb:          u32(maxHeadersKB),
		StreamIdleTimeout:            dur(streamIdleTimeout),
		RequestHeadersTimeout:        dur(requestHeadersTimeout),
		ServerHeaderTransformation:   hcmv3.HttpConnectionManager_PASS_THROUGH,
		UseRemoteAddress:             no(),
		SkipXffAppend:                true,
		PreserveExternalRequestId:    true,
		NormalizePath:                no(),
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_KEEP_UNCHANGED,
		// Whether the body is wanted is for the application to say.
		Proxy_100Continue: true,
		UpgradeConfigs:    []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
	}
}

// outboundManager serves what the pod's own applications call.
func outboundManager(name string) *hcmv3.HttpConnectionManager {
	m := connectionManager(name, name)
	m.HttpFilters = outboundFilters
	return m
}

// inboundManager serves the calls that the pod takes. A path that rules cannot be
// held to is refused by a route (form.go), since that comes and goes with the rules.
func inboundManager(m model.Mesh, statPrefix, routes string) *hcmv3.HttpConnectionManager {
	manager := connectionManager(statPrefix, routes)
	manager.CommonHttpProtocolOptions.MaxConnectionDuration = dur(maxHTTPConnection)
	manager.CommonHttpProtocolOptions.MaxHeadersCount = u32(maxForwardedHeaders)
	manager.MaxRequestHeadersKb = u32(maxForwardedHeadersKB)
	if m.DecodeSlashes {
		manager.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_UNESCAPE_AND_FORWARD
	}
	manager.HttpFilters = inboundFilters
	manager.AccessLog = refusedRequests()
	return manager
}

func http2Options() *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{
		MaxConcurrentStreams:        u32(maxConcurrentStreams),
		InitialStreamWindowSize:     u32(streamWindow),
		InitialConnectionWindowSize: u32(connectionWindow),
		// A WebSocket travels between proxies as an extended CONNECT (RFC 8441).
		AllowConnect: true,
		// What one request or response breaks is its own stream: by default Envoy ends
		// the connection, and with it all other requests that it carries.
		OverrideStreamErrorOnInvalidHttpMessage: yes(),
	}
}

// ignoredUpgrades are all but to a WebSocket. An offer that a server does not take it
// ignores (RFC 9110, 7.8), and so does the proxy, which would answer 403. No other
// protocol that is registered begins with a w; to name websocket whole would cost
// each listener 9 KB in place of 1.
func ignoredUpgrades() []*matcherv3.StringMatcher {
	return []*matcherv3.StringMatcher{wholly("[^Ww].*")}
}

// keepCase keeps the case of HTTP/1.1 header names, and the reason of a status.
func keepCase() *corev3.Http1ProtocolOptions_HeaderKeyFormat {
	return &corev3.Http1ProtocolOptions_HeaderKeyFormat{
		HeaderFormat: &corev3.Http1ProtocolOptions_HeaderKeyFormat_StatefulFormatter{
			StatefulFormatter: extension("envoy.http.stateful_header_formatters.preserve_case", &preservev3.PreserveCaseFormatterConfig{ForwardReasonPhrase: true}),
		},
	}
}
