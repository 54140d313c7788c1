// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Files are what Envoy reads beside its bootstrap: model.IdentitySDS,
// model.ControlPlaneRootsSDS and model.RefusalBudget, in JSON, which is YAML.
// They are the same for every pod.
type Files struct {
	Identity, ControlPlaneRoots, RefusalBudget string
}

// BootstrapFiles gives them. They are constant, so they are made once.
func BootstrapFiles() (Files, error) { return bootstrapFiles() }

var bootstrapFiles = sync.OnceValues(func() (Files, error) {
	var files Files
	for _, f := range []struct {
		to       *string
		resource proto.Message
	}{
		{&files.Identity, identitySecret()},
		{&files.ControlPlaneRoots, controlPlaneRootsSecret()},
		{&files.RefusalBudget, refusalTokens()},
	} {
		var err error
		// The form in which Envoy reads resources from a file.
		if *f.to, err = compactJSON(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{pack(f.resource)}}); err != nil {
			return Files{}, err
		}
	}
	return files, nil
})

// compactJSON renders the same message always the same: protojson varies white
// space on purpose.
func compactJSON(m proto.Message) (string, error) {
	body, err := messageJSON(m)
	if err != nil {
		return "", fmt.Errorf("render %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, body); err != nil {
		return "", fmt.Errorf("render %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return out.String(), nil
}
