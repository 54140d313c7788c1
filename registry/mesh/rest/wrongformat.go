// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// misformatted is a value that is no duration or no quantity.
type misformatted struct {
	path []string
	// key is that of a list of resources, which kubectl explain does not know.
	key, must, value string
}

// wrongFormat says which field is no duration, or no quantity: what their types
// say themselves names none. Nil if the data are not JSON, or each is one.
func wrongFormat(data []byte) error {
	var object map[string]any
	if json.Unmarshal(data, &object) != nil {
		return nil
	}
	found := findWrongFormat(reflect.TypeFor[v1alpha1.MeshConfig](), object)
	if found == nil {
		return nil
	}
	field := strings.Join(found.path, ".")
	return fmt.Errorf("%s%s: must be a %s, not %s; see kubectl explain meshconfig.%s", field, found.key, found.must, found.value, field)
}

// findWrongFormat looks through an object for the fields of a struct that are of
// type metav1.Duration or corev1.ResourceList, and gives the first that is wrong.
func findWrongFormat(t reflect.Type, object map[string]any) *misformatted {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		said := object[name]
		if said == nil || strings.Contains(options, "inline") {
			continue
		}
		field := f.Type
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		inner, isObject := said.(map[string]any)
		var found *misformatted
		switch {
		case field == reflect.TypeFor[metav1.Duration]():
			found = wrongDuration(said)
		case isObject && field.Kind() == reflect.Map && field.Elem() == reflect.TypeFor[resource.Quantity]():
			found = wrongQuantity(inner)
		case isObject && field.Kind() == reflect.Struct:
			found = findWrongFormat(field, inner)
		}
		if found != nil {
			found.path = append([]string{name}, found.path...)
			return found
		}
	}
	return nil
}

func wrongDuration(said any) *misformatted {
	text, isText := said.(string)
	if _, err := time.ParseDuration(text); isText && err == nil {
		return nil
	}
	shown, _ := json.Marshal(said)
	return &misformatted{must: `duration such as "30s" or "1h30m"`, value: string(shown)}
}

func wrongQuantity(list map[string]any) *misformatted {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		shown, _ := json.Marshal(list[name])
		if new(resource.Quantity).UnmarshalJSON(shown) != nil {
			return &misformatted{key: "." + name, must: `quantity such as "100m" or "128Mi"`, value: string(shown)}
		}
	}
	return nil
}
