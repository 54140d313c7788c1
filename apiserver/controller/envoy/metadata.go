// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Keys of Envoy metadata. metadataMesh says whose a listener or cluster is, for
// whoever reads a config dump; metadataSocket is what transport_socket_matches
// look at (Envoy's "envoy.transport_socket_match").
const (
	metadataMesh   = "mesh.openservicemesh.io"
	metadataSocket = "envoy.transport_socket_match"
	keyPlaintext   = "plaintext"
)

func serviceMetadata(s model.ServiceKey, port uint16) *corev3.Metadata {
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
		metadataMesh: {Fields: map[string]*structpb.Value{
			"service": structpb.NewStringValue(s.String() + ":" + strconv.Itoa(int(port))),
		}},
	}}
}

// plaintext is the mark of an endpoint outside the mesh, and the match of it.
func plaintext() *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{keyPlaintext: structpb.NewBoolValue(true)}}
}
