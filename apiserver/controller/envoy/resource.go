// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package envoy turns the model into Envoy resources: pure functions, one file
// a resource type, the same bytes for the same input. Every resource belongs to
// one thing that can change (docs/architecture.md, "What is sent when something
// changes").
package envoy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Key names a resource. Proxies with the same view share its bytes; View is
// empty for what is the same for all.
type Key struct {
	TypeURL, Name, View string
}

// Resource is one resource, encoded once for every proxy that may see it.
type Resource struct {
	Key
	// Version is a hash of Body's bytes: equal between replicas and restarts.
	Version string
	Body    *anypb.Any
	// EndpointSet names the EDS resource from which a cluster takes its endpoints; ""
	// if that has the cluster's own name.
	EndpointSet string
}

// Encode makes a Resource of a message, deterministically.
func Encode(name, view string, m proto.Message) (Resource, error) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return Resource{}, fmt.Errorf("encode %s %q: %w", m.ProtoReflect().Descriptor().FullName(), name, err)
	}
	typeURL := "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName())
	sum := sha256.Sum256(value)
	return Resource{
		Key:     Key{TypeURL: typeURL, Name: name, View: view},
		Version: hex.EncodeToString(sum[:8]),
		Body:    &anypb.Any{TypeUrl: typeURL, Value: value},
	}, nil
}

// InView makes resources those of the proxies that share a view, but for those that
// are of a view of their own.
func InView(view string, resources []Resource) []Resource {
	for i := range resources {
		if resources[i].View == "" {
			resources[i].View = view
		}
	}
	return resources
}
