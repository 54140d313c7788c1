// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// nobody is a subject name that no certificate of the mesh has: those are
// SPIFFE IDs. An empty list of names would accept every certificate.
const nobody = "mesh:nobody"

// tlsParams are TLS 1.3 alone, with a key agreement that holds against quantum
// computers where the peer has it. The maximum is set because an upstream
// context defaults to at most TLS 1.2.
func tlsParams() *tlsv3.TlsParameters {
	return &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		EcdhCurves:                []string{"X25519MLKEM768", "X25519"},
	}
}

// commonTLS shows the workload's own certificate.
//
// A client says by alpn what it carries. A server names none: its chain was
// chosen by what the ClientHello offers, and once a protocol is negotiated the
// connection manager no longer recognises HTTP/2 by its preface.
func commonTLS(alpn ...string) *tlsv3.CommonTlsContext {
	return &tlsv3.CommonTlsContext{
		TlsParams:     tlsParams(),
		AlpnProtocols: alpn,
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{
			Name:      SecretIdentity,
			SdsConfig: fromFile(sidecar.IdentitySDS),
		}},
	}
}

// rootsAnd accepts certificates that chain to the workload roots (SDS, by
// themselves replaced) and have one of the names. It never takes an empty list.
func rootsAnd(names []*tlsv3.SubjectAltNameMatcher) *tlsv3.CommonTlsContext_CombinedValidationContext {
	return &tlsv3.CommonTlsContext_CombinedValidationContext{
		CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext:         &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: orNobody(names)},
			ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: SecretRoots, SdsConfig: fromADS()},
		},
	}
}

// serverTLS is the inbound side: a client certificate is required, and each
// handshake checks it anew (a resumed session would skip the names).
func serverTLS(m model.Mesh, common *tlsv3.CommonTlsContext) *corev3.TransportSocket {
	if m.TLS12 {
		common.TlsParams.TlsMinimumProtocolVersion = tlsv3.TlsParameters_TLSv1_2
	}
	return tlsTransport(&tlsv3.DownstreamTlsContext{
		CommonTlsContext:                 common,
		RequireClientCertificate:         yes(),
		SessionTicketKeysType:            &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true},
		DisableStatefulSessionResumption: true,
	})
}

// clientTLS is the outbound side: the server must be one of the identities.
func clientTLS(alpn string, identities []string) *corev3.TransportSocket {
	common := commonTLS(alpn)
	common.ValidationContextType = rootsAnd(sanExact(identities))
	return tlsTransport(&tlsv3.UpstreamTlsContext{CommonTlsContext: common, MaxSessionKeys: u32(0)})
}

func tlsTransport(context proto.Message) *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(context)},
	}
}

func sanExact(ids []string) []*tlsv3.SubjectAltNameMatcher {
	var names []*tlsv3.SubjectAltNameMatcher
	for _, id := range ids {
		names = append(names, san(exactly(id)))
	}
	return names
}

func san(m *matcherv3.StringMatcher) *tlsv3.SubjectAltNameMatcher {
	return &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_URI, Matcher: m}
}

func orNobody(names []*tlsv3.SubjectAltNameMatcher) []*tlsv3.SubjectAltNameMatcher {
	if len(names) == 0 {
		return []*tlsv3.SubjectAltNameMatcher{san(exactly(nobody))}
	}
	return names
}
