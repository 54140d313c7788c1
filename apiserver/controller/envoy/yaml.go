// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// YAML renders resources for people: a list sorted by type, name and view, with
// the field names of Envoy's documentation.
func YAML(resources []Resource) ([]byte, error) {
	sorted := slices.Clone(resources)
	slices.SortFunc(sorted, compare)
	var out bytes.Buffer
	for _, r := range sorted {
		b, err := resourceYAML(r)
		if err != nil {
			return nil, fmt.Errorf("render %s %q: %w", r.TypeURL, r.Name, err)
		}
		out.WriteString("---\n")
		out.Write(b)
	}
	return out.Bytes(), nil
}

func resourceYAML(r Resource) ([]byte, error) {
	m, err := r.Body.UnmarshalNew()
	if err != nil {
		return nil, err
	}
	body, err := messageJSON(m)
	if err != nil {
		return nil, err
	}
	return yaml.Marshal(struct {
		Type     string          `json:"type"`
		Name     string          `json:"name"`
		View     string          `json:"view,omitempty"`
		Resource json.RawMessage `json:"resource"`
	}{r.TypeURL, r.Name, r.View, body})
}

func messageJSON(m proto.Message) ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
}
