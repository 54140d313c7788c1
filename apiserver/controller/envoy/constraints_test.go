// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
)

// TestResourcesKeepEnvoysConstraints runs Envoy's own validation rules
// (protoc-gen-validate) on each resource and on what is packed in it.
func TestResourcesKeepEnvoysConstraints(t *testing.T) {
	for name, in := range readInputs(t) {
		t.Run(name, func(t *testing.T) {
			for _, r := range in.resources(t, []byte(testRoots)) {
				if err := envoytest.Validate(r.Body.ProtoReflect()); err != nil {
					t.Errorf("%s %q: %v", r.TypeURL, r.Name, err)
				}
			}
			if in.Bootstrap == nil {
				return
			}
			config, err := bootstrapConfig(*in.Bootstrap)
			if err != nil {
				t.Fatal(err)
			}
			if err := envoytest.Validate(config.ProtoReflect()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEveryConfigSourceWaits: with Envoy's default of 15 s a proxy calls itself
// ready although it has been told nothing; 0 waits for as long as it takes
// (ConfigSource.initial_fetch_timeout).
func TestEveryConfigSourceWaits(t *testing.T) {
	seen := 0
	for name, in := range readInputs(t) {
		t.Run(name, func(t *testing.T) {
			var messages []proto.Message
			for _, r := range in.resources(t, []byte(testRoots)) {
				messages = append(messages, r.Body)
			}
			if in.Bootstrap != nil {
				config, err := bootstrapConfig(*in.Bootstrap)
				if err != nil {
					t.Fatal(err)
				}
				messages = append(messages, config)
			}
			for _, m := range messages {
				walk(t, m.ProtoReflect(), func(m protoreflect.Message) {
					f := m.Descriptor().Fields().ByName("initial_fetch_timeout")
					if f == nil {
						return
					}
					seen++
					wait, _ := m.Get(f).Message().Interface().(*durationpb.Duration)
					if !m.Has(f) || wait.AsDuration() != 0 {
						t.Errorf("%s with initial_fetch_timeout %v: %v", m.Descriptor().Name(), wait, m.Interface())
					}
				})
			}
		})
	}
	if seen == 0 {
		t.Error("no config source seen")
	}
}

// TestRBACAlwaysHasRules: a filter without them admits everybody.
func TestRBACAlwaysHasRules(t *testing.T) {
	seen := 0
	for _, in := range readInputs(t) {
		for _, r := range in.resources(t, []byte(testRoots)) {
			walk(t, r.Body.ProtoReflect(), func(m protoreflect.Message) {
				if m.Descriptor().Name() != "RBAC" || m.Descriptor().Fields().ByName("rules") == nil {
					return
				}
				seen++
				if !m.Has(m.Descriptor().Fields().ByName("rules")) {
					t.Errorf("%s %q: RBAC without rules", r.TypeURL, r.Name)
				}
			})
		}
	}
	if seen == 0 {
		t.Error("no RBAC seen")
	}
}

// walk visits m and all that it holds, packed messages included.
func walk(t *testing.T, m protoreflect.Message, visit func(protoreflect.Message)) {
	if a, ok := m.Interface().(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		m = inner.ProtoReflect()
	}
	visit(m)
	envoytest.EachMessage(m, func(child protoreflect.Message) { walk(t, child, visit) })
}

// TestInboundListenerNamesAllOfItsView: a policy is Programmed when proxies have
// ACKed all resources of their view, and a proxy ACKs only what it asks for.
func TestInboundListenerNamesAllOfItsView(t *testing.T) {
	seen := 0
	for name, in := range readInputs(t) {
		if len(in.Workloads) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			named := map[envoytest.Reference]bool{}
			resources := in.resources(t, []byte(testRoots))
			for _, r := range resources {
				references, err := envoytest.References(r.Body)
				if err != nil {
					t.Fatal(err)
				}
				for _, reference := range references {
					named[reference] = true
				}
			}
			for _, r := range resources {
				if r.View != "" && r.Name != ListenerInbound && !named[envoytest.Reference{TypeURL: r.TypeURL, Name: r.Name}] {
					t.Errorf("nothing has Envoy ask for %s %q", r.TypeURL, r.Name)
				}
				seen++
			}
		})
	}
	if seen == 0 {
		t.Error("no workload seen")
	}
}
