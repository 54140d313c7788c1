// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xdstest

import (
	"reflect"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestSkimmedIsWhatWasEncoded holds that what is read of a response
// is what a full decoder would read.
func TestSkimmedIsWhatWasEncoded(t *testing.T) {
	data, err := proto.Marshal(&discovery.DeltaDiscoveryResponse{
		SystemVersionInfo: "ignored", TypeUrl: EndpointType, Nonce: "7", RemovedResources: []string{"a", "b"},
		Resources: []*discovery.Resource{
			{Name: "one", Version: "v1", Resource: &anypb.Any{TypeUrl: EndpointType, Value: []byte("x")}},
			{Name: "two", Aliases: []string{"ignored"}, Version: "v2"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := skim(data)
	if err != nil {
		t.Fatal(err)
	}
	want := Skimmed{TypeURL: EndpointType, Nonce: "7", Removed: 2, Bytes: len(data), Resources: []SkimmedResource{{"one", "v1"}, {"two", "v2"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := skim(data[:len(data)-1]); err == nil {
		t.Error("half a response was taken for one")
	}
}
