// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"strconv"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that sharingCodec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
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
	out := make(mem.BufferSlice, 0, len(r.frames)+1)
	out = append(out, mem.SliceBuffer(r.head()))
	return append(out, r.frames...), nil
}

// The fields of a DeltaDiscoveryResponse that are not frames, in
// envoy.service.discovery.v3.
const (
	typeURLField = 4
	nonceField   = 5
	removedField = 6
)

// head encodes what is not shared.
func (r *response) head() []byte {
	head := protowire.AppendTag(make([]byte, 0, 128), typeURLField, protowire.BytesType)
	head = protowire.AppendString(head, r.kind.typeURL())
	head = protowire.AppendTag(head, nonceField, protowire.BytesType)
	head = protowire.AppendString(head, strconv.FormatUint(uint64(r.nonce), 10))
	for _, name := range r.removed {
		head = protowire.AppendTag(head, removedField, protowire.BytesType)
		head = protowire.AppendString(head, name)
	}
	return head
}
