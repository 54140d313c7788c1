// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	commonstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// detectTimeout is how long a client may be silent before its connection is
// taken for TCP. Its bytes come from the same pod, so it is short.
const detectTimeout = 100 * time.Millisecond

// alpnState is the key under which a connection's filter state overrides what
// a cluster's TLS offers as ALPN (Envoy, Network::ApplicationProtocols).
const alpnState = "envoy.network.application_protocols"

// detect makes a TCP listener serve requests where a connection begins with
// one. Its cluster is one for all, and would call everything TCP; the chains of
// HTTP say otherwise, so that what is not understood is never more than a
// connection to the callee.
func detect(l *listenerv3.Listener, routes string) {
	l.ListenerFilters = listenerFilters(filters.DetectingListener)
	l.ListenerFiltersTimeout = dur(detectTimeout)
	l.ContinueOnListenerFiltersTimeout = true
	l.FilterChains = append(l.FilterChains,
		detectedChain(l.Name+"/http1", routes, sidecar.ALPNHTTP1, "http/1.0", "http/1.1"),
		detectedChain(l.Name+"/http2", routes, sidecar.ALPNHTTP2, "h2c"))
}

// detectedChain serves what the inspector calls by one of the names.
func detectedChain(name, routes, alpn string, inspected ...string) *listenerv3.FilterChain {
	c := chain(name, chainFilters(filters.OutboundDetected, "", offerALPN(alpn), outboundManager(routes)))
	c.FilterChainMatch = &listenerv3.FilterChainMatch{ApplicationProtocols: inspected}
	return c
}

func offerALPN(alpn string) *setstatev3.Config {
	return &setstatev3.Config{
		OnNewConnection: []*commonstatev3.FilterStateValue{{
			Key:                &commonstatev3.FilterStateValue_ObjectKey{ObjectKey: alpnState},
			SharedWithUpstream: commonstatev3.FilterStateValue_ONCE,
			Value: &commonstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
					Specifier: &corev3.DataSource_InlineString{InlineString: alpn},
				}},
			}},
		}},
	}
}
