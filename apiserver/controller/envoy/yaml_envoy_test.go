//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// messageYAML renders a message as a file that Envoy reads.
func messageYAML(m proto.Message) ([]byte, error) {
	body, err := messageJSON(m)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(body)
}
