// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/apitesting/roundtrip"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/fuzzer"
)

// Every kind survives the way to v1alpha1 and back, in JSON, YAML, CBOR and
// protobuf, from random values.
func TestEveryKindRoundTrips(t *testing.T) {
	roundtrip.RoundTripTestForAPIGroup(t, Install, fuzzer.Funcs)
}

func TestEveryKindRoundTripsInProtobuf(t *testing.T) {
	roundtrip.RoundTripProtobufTestForAPIGroup(t, Install, fuzzer.Funcs)
}
