// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// explainingSerializer says in a user's words that a field has a value of the
// wrong JSON type. The library's decoder names Go types.
type explainingSerializer struct{ runtime.NegotiatedSerializer }

func (s explainingSerializer) DecoderToVersion(d runtime.Decoder, version runtime.GroupVersioner) runtime.Decoder {
	return explainingDecoder{s.NegotiatedSerializer.DecoderToVersion(d, version)}
}

type explainingDecoder struct{ runtime.Decoder }

func (d explainingDecoder) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	object, gvk, err := d.Decoder.Decode(data, defaults, into)
	if err == nil {
		return object, gvk, nil
	}
	if aboutFormat.MatchString(err.Error()) {
		if found := wrongFormat(data); found != nil {
			return object, gvk, found
		}
	}
	return object, gvk, explained(err)
}

// aboutFormat is what metav1.Duration and resource.Quantity say.
var aboutFormat = regexp.MustCompile(`^time: |of type string$|quantit`)

// wrongType is what the decoder says. Its error is of a type of its own package,
// and its path has no indices.
var wrongType = regexp.MustCompile(`^json: cannot unmarshal (\S+).* into Go struct field \w+\.(\S+) of type (\S+)$`)

// explained gives an error that it does not know as it is.
func explained(err error) error {
	said := wrongType.FindStringSubmatch(err.Error())
	if said == nil {
		return err
	}
	value, path, goType := said[1], said[2], said[3]
	for kind, root := range map[string]reflect.Type{
		"meshpolicy": reflect.TypeFor[v1alpha1.MeshPolicy](),
		"meshconfig": reflect.TypeFor[v1alpha1.MeshConfig](),
	} {
		t := fieldType(root, strings.Split(path, "."))
		if t == nil {
			continue
		}
		must := "must be"
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			if item := t.Elem(); item.String() == goType {
				t, must = item, "each value must be"
			}
		}
		if t.String() == goType {
			return fmt.Errorf("%s: %s %s, not %s; see kubectl explain %s.%s", path, must, jsonType(t), jsonValue(value), kind, path)
		}
	}
	return err
}

// fieldType follows the JSON names of fields through lists and maps; nil if
// there is no such path.
func fieldType(t reflect.Type, path []string) reflect.Type {
	if len(path) == 0 {
		return t
	}
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Map:
		return fieldType(t.Elem(), path[1:])
	case reflect.Struct:
	default:
		return nil
	}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if strings.Contains(options, "inline") {
			if found := fieldType(f.Type, path); found != nil {
				return found
			}
		} else if name == path[0] {
			found := fieldType(f.Type, path[1:])
			if found != nil && found.Kind() == reflect.Pointer {
				return found.Elem()
			}
			return found
		}
	}
	return nil
}

func jsonType(t reflect.Type) string {
	switch t.Kind() {
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

// jsonValue names what the decoder calls "string", "number", "bool", "array" or "object".
func jsonValue(said string) string {
	switch said {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	default:
		return "a " + said
	}
}
