// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// wrongDuration says which field is no duration: what metav1.Duration says itself
// names none. Nil if the data are not JSON, or every duration is one.
func wrongDuration(data []byte) error {
	var object map[string]any
	if json.Unmarshal(data, &object) != nil {
		return nil
	}
	path, value := findWrongDuration(reflect.TypeFor[v1alpha1.MeshConfig](), object)
	if path == nil {
		return nil
	}
	at := strings.Join(path, ".")
	return fmt.Errorf("%s: must be a duration such as \"30s\" or \"1h30m\", not %s; see kubectl explain meshconfig.%s", at, value, at)
}

// findWrongDuration gives the path of the first field of a struct that is of type
// metav1.Duration and whose value is none, and the value as JSON.
func findWrongDuration(t reflect.Type, object map[string]any) (path []string, value string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := f.Type
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		if field.Kind() != reflect.Struct || strings.Contains(options, "inline") {
			continue
		}
		said, ok := object[name]
		if !ok || said == nil {
			continue
		}
		if field == reflect.TypeFor[metav1.Duration]() {
			text, isText := said.(string)
			if _, err := time.ParseDuration(text); !isText || err != nil {
				shown, _ := json.Marshal(said)
				return []string{name}, string(shown)
			}
			continue
		}
		if inner, ok := said.(map[string]any); ok {
			if found, value := findWrongDuration(field, inner); found != nil {
				return append([]string{name}, found...), value
			}
		}
	}
	return nil, ""
}
