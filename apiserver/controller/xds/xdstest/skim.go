// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xdstest

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // so that a server of this program has its codec
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// rawCodec passes encoded messages through: a thousand clients that decoded
// what they get would take more time than the server that is measured.
type rawCodec struct{}

var _ encoding.CodecV2 = rawCodec{}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	data, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("the raw codec takes bytes, not %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(data)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	target, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("the raw codec gives bytes, not %T", v)
	}
	*target = data.Materialize()
	return nil
}

// Skimmed is a response of which only this was read.
type Skimmed struct {
	TypeURL, Nonce string
	Resources      []SkimmedResource
	// Removed is how many resources are gone.
	Removed int
	// Bytes are the size of the response.
	Bytes int
}

// SkimmedResource is a resource without its body.
type SkimmedResource struct{ Name, Version string }

// skim reads fields by their numbers in envoy.service.discovery.v3: resources 2,
// type_url 4, nonce 5, removed_resources 6; of Resource version 1 and name 3.
func skim(data []byte) (r Skimmed, err error) {
	r.Bytes = len(data)
	err = eachField(data, func(n protowire.Number, value []byte) error {
		switch n {
		case 2:
			var resource SkimmedResource
			err := eachField(value, func(n protowire.Number, value []byte) error {
				switch n {
				case 1:
					resource.Version = string(value)
				case 3:
					resource.Name = string(value)
				}
				return nil
			})
			r.Resources = append(r.Resources, resource)
			return err
		case 4:
			r.TypeURL = string(value)
		case 5:
			r.Nonce = string(value)
		case 6:
			r.Removed++
		}
		return nil
	})
	return r, err
}

// eachField gives the fields that have a length.
func eachField(data []byte, take func(protowire.Number, []byte) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
				return protowire.ParseError(n)
			}
			data = data[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := take(number, value); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
