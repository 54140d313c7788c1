// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"fmt"
	"strconv"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that sharingCodec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// response is a DeltaDiscoveryResponse whose resources are encoded already.
type response struct {
	kind    kind
	nonce   nonce
	frames  mem.BufferSlice
	removed []string
}

// bytes is the size of the resources.
func (r *response) bytes() int { return r.frames.Len() }

// sharingCodec is gRPC's protobuf codec, but for responses, which it puts
// together from the frames that all streams share: the concatenation of
// encoded messages is the encoding of their merger (Protocol Buffers,
// "Encoding", last-one-wins and repeated fields).
type sharingCodec struct {
	encoding.CodecV2
}

func newSharingCodec() sharingCodec {
	return sharingCodec{encoding.GetCodecV2("proto")}
}

// Marshal implements encoding.CodecV2.
func (c sharingCodec) Marshal(v any) (mem.BufferSlice, error) {
	r, ok := v.(*response)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	head, err := proto.Marshal(&discovery.DeltaDiscoveryResponse{
		TypeUrl:          r.kind.typeURL(),
		Nonce:            strconv.FormatUint(uint64(r.nonce), 10),
		RemovedResources: r.removed,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the head of a response: %w", err)
	}
	out := make(mem.BufferSlice, 0, len(r.frames)+1)
	out = append(out, mem.SliceBuffer(head))
	return append(out, r.frames...), nil
}
