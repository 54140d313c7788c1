// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"math"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Limits that every connection and every cluster has.
const (
	// bufferLimit bounds what Envoy keeps for one connection in one direction.
	bufferLimit = 256 << 10
	// connectTimeout bounds a TCP connect and its TLS handshake.
	connectTimeout = 5 * time.Second
	// noLimit is the maximum of a circuit breaker: none unless it is asked for.
	noLimit = math.MaxUint32
)

// fromADS is the config source of everything that the control plane delivers.
// A fetch timeout of 0 makes Envoy wait: with the default it goes on after 15 s
// without the resource, and calls itself ready.
func fromADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		InitialFetchTimeout:   durationpb.New(0),
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

// fromFile is the config source of what the webhook gives the pod.
func fromFile(path string) *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:  corev3.ApiVersion_V3,
		InitialFetchTimeout: durationpb.New(0),
		ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{
			PathConfigSource: &corev3.PathConfigSource{Path: path},
		},
	}
}

// pack puts a message of our own making in an Any. It can fail only on a string
// that is not UTF-8; the strings that users write are checked beforehand
// (checkAccess), so a failure is a fault of this package.
func pack(m proto.Message) *anypb.Any {
	a := &anypb.Any{}
	// anypb.New would leave the order of maps to chance.
	if err := anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic(fmt.Sprintf("pack %s: %v", m.ProtoReflect().Descriptor().FullName(), err))
	}
	return a
}

// extension is a named, typed configuration.
func extension(name string, m proto.Message) *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{Name: name, TypedConfig: pack(m)}
}

func socketAddress(ip string, port uint16) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       ip,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

func pipeAddress(path string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path}}}
}

func yes() *wrapperspb.BoolValue               { return wrapperspb.Bool(true) }
func no() *wrapperspb.BoolValue                { return wrapperspb.Bool(false) }
func u32(n uint32) *wrapperspb.UInt32Value     { return wrapperspb.UInt32(n) }
func u64(n uint64) *wrapperspb.UInt64Value     { return wrapperspb.UInt64(n) }
func dur(d time.Duration) *durationpb.Duration { return durationpb.New(d) }
