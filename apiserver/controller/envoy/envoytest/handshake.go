// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoytest

import (
	"errors"
	"slices"
	"strings"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// Handshake gives whom a Secret with a validation context takes, by SPIFFE ID. It
// is an error if the Secret holds something else, or names nobody, which Envoy
// reads as everybody.
func Handshake(resource *anypb.Any) (takes func(id string) bool, err error) {
	secret := &tlsv3.Secret{}
	if err := resource.UnmarshalTo(secret); err != nil {
		return nil, err
	}
	names := secret.GetValidationContext().GetMatchTypedSubjectAltNames()
	if len(names) == 0 {
		return nil, errors.New("the Secret names nobody whom it takes")
	}
	return func(id string) bool {
		return slices.ContainsFunc(names, func(m *tlsv3.SubjectAltNameMatcher) bool {
			prefix := m.GetMatcher().GetPrefix()
			return m.GetMatcher().GetExact() == id || prefix != "" && strings.HasPrefix(id, prefix)
		})
	}, nil
}
