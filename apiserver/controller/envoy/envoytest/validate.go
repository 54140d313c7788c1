// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package envoytest asks Envoy's own rules, and Envoy itself, what they think of
// resources. It is for tests.
package envoytest

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Validate runs Envoy's own validation rules (protoc-gen-validate) on a message,
// on all that it holds and on what is packed in it. It gives the first error.
func Validate(m protoreflect.Message) error {
	if a, ok := m.Interface().(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		if err != nil {
			return err
		}
		return Validate(inner.ProtoReflect())
	}
	if v, ok := m.Interface().(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			return err
		}
	}
	var err error
	EachMessage(m, func(child protoreflect.Message) {
		if e := Validate(child); e != nil && err == nil {
			err = fmt.Errorf("%s: %w", m.Descriptor().Name(), e)
		}
	})
	return err
}

// EachMessage visits the messages that m holds, in fields, lists and maps.
func EachMessage(m protoreflect.Message, visit func(protoreflect.Message)) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
				visit(e.Message())
				return true
			})
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				visit(v.List().Get(i).Message())
			}
		case !f.IsMap() && !f.IsList() && f.Message() != nil:
			visit(v.Message())
		}
		return true
	})
}
