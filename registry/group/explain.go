// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// explainingSerializer says in a user's words which field has a value that its
// type does not take. What the decoder says names Go types; and of values that a
// type decodes itself (durations, quantities), not even the field.
type explainingSerializer struct {
	runtime.NegotiatedSerializer
	scheme *runtime.Scheme
}

func (s explainingSerializer) DecoderToVersion(d runtime.Decoder, version runtime.GroupVersioner) runtime.Decoder {
	return explainingDecoder{s.NegotiatedSerializer.DecoderToVersion(d, version), s.scheme}
}

type explainingDecoder struct {
	runtime.Decoder
	scheme *runtime.Scheme
}

func (d explainingDecoder) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	object, gvk, err := d.Decoder.Decode(data, defaults, into)
	if err != nil && gvk != nil && !runtime.IsStrictDecodingError(err) {
		if explained := d.explain(data, *gvk); explained != nil {
			err = explained
		}
	}
	return object, gvk, err
}

// explain is nil for data in which no value is wrong, or which are no JSON or YAML.
func (d explainingDecoder) explain(data []byte, gvk schema.GroupVersionKind) error {
	var value map[string]any
	empty, err := d.scheme.New(gvk)
	if err != nil || yaml.Unmarshal(data, &value) != nil {
		return nil
	}
	found := find(reflect.TypeOf(empty), value)
	if found == nil {
		return nil
	}
	field := strings.Join(found.field, ".")
	return fmt.Errorf("%s%s: %s, not %s; see kubectl explain %s.%s", field, found.key, found.must, found.value, strings.ToLower(gvk.Kind), field)
}

// wrong is a value that its type does not take.
type wrong struct {
	// field is without indices and keys, as kubectl explain takes it.
	field            []string
	key, must, value string
}

// words are for types that decode themselves, and read a value instead of its type.
var words = map[reflect.Type]string{
	reflect.TypeFor[metav1.Duration]():    `a duration such as "30s" or "1h30m"`,
	reflect.TypeFor[resource.Quantity]():  `a quantity such as "100m" or "128Mi"`,
	reflect.TypeFor[intstr.IntOrString](): "a whole number or a string",
}

// find gives the first value that a part of the type does not take.
func find(t reflect.Type, value any) *wrong {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil {
		return nil
	}
	if !reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		object, isObject := value.(map[string]any)
		list, isList := value.([]any)
		switch {
		case isObject && t.Kind() == reflect.Struct:
			return findInStruct(t, object)
		case isObject && t.Kind() == reflect.Map:
			return findInMap(t.Elem(), object)
		case isList && t.Kind() == reflect.Slice:
			return findInList(t.Elem(), list)
		}
	}
	said, err := json.Marshal(value)
	if err != nil || json.Unmarshal(said, reflect.New(t).Interface()) == nil {
		return nil
	}
	if word, ok := words[t]; ok {
		return &wrong{must: "must be " + word, value: string(said)}
	}
	return &wrong{must: "must be " + typeName(t.Kind()), value: valueName(value)}
}

func findInStruct(t reflect.Type, object map[string]any) *wrong {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			if found := find(f.Type, object); found != nil {
				return found
			}
		} else if found := find(f.Type, object[name]); found != nil {
			found.field = append([]string{name}, found.field...)
			return found
		}
	}
	return nil
}

func findInMap(t reflect.Type, object map[string]any) *wrong {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		found := find(t, object[key])
		if found != nil && words[t] != "" {
			found.key = "." + key
		} else if found != nil {
			found.must = "each value " + found.must
		}
		if found != nil {
			return found
		}
	}
	return nil
}

func findInList(t reflect.Type, list []any) *wrong {
	for _, item := range list {
		if found := find(t, item); found != nil {
			if len(found.field) == 0 {
				found.must = "each value " + found.must
			}
			return found
		}
	}
	return nil
}

func typeName(kind reflect.Kind) string {
	switch kind {
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	default:
		return "a whole number"
	}
}

func valueName(value any) string {
	switch value.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case string:
		return "a string"
	case bool:
		return "true or false"
	default:
		return "a number"
	}
}
