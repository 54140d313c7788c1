// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestRawResponseIsWhatWasEncoded holds that the thin clients read of a response
// what a full decoder would.
func TestRawResponseIsWhatWasEncoded(t *testing.T) {
	data, err := proto.Marshal(&discovery.DeltaDiscoveryResponse{
		SystemVersionInfo: "ignored", TypeUrl: endpointType, Nonce: "7", RemovedResources: []string{"a", "b"},
		Resources: []*discovery.Resource{
			{Name: "one", Version: "v1", Resource: &anypb.Any{TypeUrl: endpointType, Value: []byte("x")}},
			{Name: "two", Aliases: []string{"ignored"}, Version: "v2"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseResponse(data)
	if err != nil {
		t.Fatal(err)
	}
	want := rawResponse{typeURL: endpointType, nonce: "7", removed: 2, resources: []rawResource{{"one", "v1"}, {"two", "v2"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := parseResponse(data[:len(data)-1]); err == nil {
		t.Error("half a response was taken for one")
	}
}
