// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// rootsSecret is the validation context with the workload roots, the same for
// every proxy. Names are added by the context that refers to it.
func rootsSecret(roots []byte) (Resource, error) {
	return Encode(SecretRoots, "", validationSecret(SecretRoots, roots, nil))
}

func validationSecret(name string, roots []byte, names []*tlsv3.SubjectAltNameMatcher) *tlsv3.Secret {
	return &tlsv3.Secret{
		Name: name,
		Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:                 &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: string(roots)}},
			MatchTypedSubjectAltNames: names,
		}},
	}
}
