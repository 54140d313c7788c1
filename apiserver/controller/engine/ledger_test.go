// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// TestLedger follows one resource from unit to unit.
func TestLedger(t *testing.T) {
	a, b := unit.ID{Kind: "service", Name: "a"}, unit.ID{Kind: "service", Name: "b"}
	key := envoy.Key{TypeURL: "type", Name: "out/198.19.0.1:80"}
	resource := func(version string) []envoy.Resource {
		return []envoy.Resource{{Key: key, Version: version}}
	}
	type sent struct {
		Set     []envoy.Resource
		Removed []envoy.Key
		Units   map[unit.ID][]envoy.Key
	}
	units := func(of ...unit.ID) map[unit.ID][]envoy.Key {
		units := map[unit.ID][]envoy.Key{}
		for i, id := range of {
			units[id] = nil
			if i == 0 {
				units[id] = []envoy.Key{key}
			}
		}
		return units
	}
	var none map[unit.ID][]envoy.Key
	l := newLedger()
	for _, step := range []struct {
		name string
		do   func()
		want sent
	}{
		{"it is new", func() { l.put(a, resource("1")) }, sent{Set: resource("1"), Units: units(a)}},
		{"it stays the same", func() { l.put(a, resource("1")) }, sent{Units: none}},
		{"it changes", func() { l.put(a, resource("2")) }, sent{Set: resource("2"), Units: none}},
		{"another takes it over, and then it is given up", func() { l.put(b, resource("3")); l.put(a, nil) }, sent{Set: resource("3"), Units: units(b, a)}},
		{"it is given up, and then another takes it over", func() { l.put(b, nil); l.put(a, resource("4")) }, sent{Set: resource("4"), Units: units(a, b)}},
		{"it goes", func() { l.put(a, nil) }, sent{Removed: []envoy.Key{key}, Units: map[unit.ID][]envoy.Key{a: nil}}},
		{"nothing is left", func() { l.put(a, nil) }, sent{Units: none}},
	} {
		step.do()
		var got sent
		got.Set, got.Removed, got.Units = l.take()
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}
