// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filterchainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	setmetadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_metadata/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
)

// eachDelivered visits all messages that the goldens' resources hold.
func eachDelivered(t *testing.T, visit func(t *testing.T, r Resource, m protoreflect.Message)) {
	t.Helper()
	for name, in := range readInputs(t) {
		t.Run(name, func(t *testing.T) {
			for _, r := range in.resources(t, []byte(testRoots)) {
				walk(t, r.Body.ProtoReflect(), func(m protoreflect.Message) { visit(t, r, m) })
			}
		})
	}
}

// TestFiltersStandAsTheTableSays: each list of filters is one of the table's, with
// the same order, names, types, and ways of being configured.
func TestFiltersStandAsTheTableSays(t *testing.T) {
	lists := map[string]bool{}
	for _, f := range filters.Table {
		for _, l := range f.Lists {
			var list []string
			for _, f := range filters.In(l) {
				list = append(list, tableEntry(f))
			}
			lists[string(l.Layer)+": "+strings.Join(list, ", ")] = true
		}
	}
	seen := map[string]bool{}
	demand := func(t *testing.T, r Resource, layer filters.Layer, list []string) {
		if len(list) == 0 {
			return
		}
		key := string(layer) + ": " + strings.Join(list, ", ")
		seen[key] = true
		if !lists[key] {
			t.Errorf("%s %q: not in the table: %s", r.TypeURL, r.Name, key)
		}
	}
	eachDelivered(t, func(t *testing.T, r Resource, m protoreflect.Message) {
		var list []string
		switch m := m.Interface().(type) {
		case *listenerv3.Listener:
			for _, f := range m.ListenerFilters {
				list = append(list, f.Name+" "+typeOf(f.GetTypedConfig().GetTypeUrl()))
			}
			demand(t, r, filters.Listener, list)
		case *listenerv3.FilterChain:
			for _, f := range m.Filters {
				if d := f.GetConfigDiscovery(); d != nil {
					list = append(list, "discovered "+suffixOf(f.Name)+" "+typeOf(d.TypeUrls[0]))
				} else {
					list = append(list, f.Name+" "+typeOf(f.GetTypedConfig().GetTypeUrl()))
				}
			}
			demand(t, r, filters.Network, list)
		case *hcmv3.HttpConnectionManager:
			for _, f := range m.HttpFilters {
				entry := f.Name + " " + typeOf(f.GetTypedConfig().GetTypeUrl())
				if f.Disabled {
					entry += " off"
				}
				list = append(list, entry)
			}
			demand(t, r, filters.HTTP, list)
		}
	})
	for key := range lists {
		if !seen[key] {
			t.Errorf("in no golden: %s", key)
		}
	}
}

func tableEntry(f filters.Filter) string {
	kind := string(f.Config.ProtoReflect().Descriptor().FullName())
	if f.Source == filters.ECDS {
		return "discovered " + f.Suffix + " " + kind
	}
	if f.Presence == filters.Off {
		return f.Name + " " + kind + " off"
	}
	return f.Name + " " + kind
}

func suffixOf(name string) string {
	for _, f := range filters.Table {
		if f.Suffix != "" && strings.HasSuffix(name, f.Suffix) {
			return f.Suffix
		}
	}
	return ""
}

func typeOf(url string) string { return strings.TrimPrefix(url, "type.googleapis.com/") }

// TestRoutesConfigureFiltersOfTheTable: a name that a manager does not have would be
// ignored, and what it should have refused would pass.
func TestRoutesConfigureFiltersOfTheTable(t *testing.T) {
	configured := map[string]bool{}
	check := func(t *testing.T, of map[string]*anypb.Any) {
		for name := range of {
			configured[name] = true
			if !slices.ContainsFunc(filters.Table, func(f filters.Filter) bool {
				return f.Name == name && (f.Source == filters.RDS || f.Presence == filters.Off)
			}) {
				t.Errorf("routes configure %s, which no manager has for them to configure", name)
			}
		}
	}
	eachDelivered(t, func(t *testing.T, _ Resource, m protoreflect.Message) {
		if m, ok := m.Interface().(interface{ GetTypedPerFilterConfig() map[string]*anypb.Any }); ok {
			check(t, m.GetTypedPerFilterConfig())
		}
	})
	for _, f := range filters.Table {
		if f.Source == filters.RDS && !configured[f.Name] {
			t.Errorf("no golden configures %s", f.Name)
		}
	}
}

// TestEachRBACWritesWhereTheTableSays: its results have the keys that the table says
// it writes, so that one that counts only admits nobody.
func TestEachRBACWritesWhereTheTableSays(t *testing.T) {
	seen := map[string]bool{}
	demand := func(t *testing.T, name string, is func(filters.Filter) bool, prefixes ...string) {
		i := slices.IndexFunc(filters.Table, is)
		if i < 0 {
			t.Errorf("the table has no %s", name)
			return
		}
		f := filters.Table[i]
		seen[tableEntry(f)] = true
		for _, prefix := range prefixes {
			if !slices.ContainsFunc(f.Writes, func(m filters.Metadata) bool { return m.Key == prefix }) {
				t.Errorf("%s writes keys that begin with %q; the table says %v", f.Name, prefix, f.Writes)
			}
		}
	}
	named := func(name string) func(filters.Filter) bool {
		return func(f filters.Filter) bool { return f.Name == name }
	}
	eachDelivered(t, func(t *testing.T, _ Resource, m protoreflect.Message) {
		switch m := m.Interface().(type) {
		case *hcmv3.HttpFilter:
			if config := new(httprbacv3.RBAC); m.GetTypedConfig().UnmarshalTo(config) == nil {
				demand(t, m.Name, named(m.Name), config.RulesStatPrefix, config.ShadowRulesStatPrefix)
			}
		case *routev3.RouteConfiguration:
			for name, packed := range m.TypedPerFilterConfig {
				config := &httprbacv3.RBACPerRoute{}
				if err := packed.UnmarshalTo(config); err != nil {
					t.Fatal(err)
				}
				demand(t, name, named(name), config.Rbac.RulesStatPrefix, config.Rbac.ShadowRulesStatPrefix)
			}
		case *corev3.TypedExtensionConfig:
			if config := new(networkrbacv3.RBAC); m.TypedConfig.UnmarshalTo(config) == nil {
				demand(t, m.Name, func(f filters.Filter) bool { return f.Suffix != "" && f.Suffix == suffixOf(m.Name) }, config.ShadowRulesStatPrefix)
			}
		}
	})
	if len(seen) != 5 {
		t.Errorf("seen %v, want the three filters of requests and the two of connections", seen)
	}
}

// TestNothingButRBACNamesItsMetadata: what refuses at a closed port is a rule that
// looks there, so whoever could write it could let anybody in.
func TestNothingButRBACNamesItsMetadata(t *testing.T) {
	read := 0
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
				reads, others := namersOfRBAC(t, m)
				read += reads
				for _, other := range others {
					t.Error(other)
				}
			}
		})
	}
	if read == 0 {
		t.Error("no closed port seen")
	}
}

// TestAnyFilterThatNamesTheMetadataIsFound, wherever it stands and however it says it.
func TestAnyFilterThatNamesTheMetadataIsFound(t *testing.T) {
	set := &setmetadatav3.Config{Metadata: []*setmetadatav3.Metadata{{MetadataNamespace: filters.RequestRBAC, Value: &structpb.Struct{}}}}
	for name, m := range map[string]proto.Message{
		"a filter":          httpFilter("set", set),
		"a filter by ECDS":  extension("set", set),
		"an override":       &routev3.Route{TypedPerFilterConfig: map[string]*anypb.Any{"set": pack(set)}},
		"a filter in a set": pack(&filterchainv3.FilterChainConfigPerRoute{FilterChain: &filterchainv3.FilterChain{Filters: []*corev3.TypedExtensionConfig{extension("set", set)}}}),
		"a header": &headerv3.Config{RequestRules: []*headerv3.Config_Rule{{
			Header: "x", OnHeaderPresent: &headerv3.Config_KeyValuePair{MetadataNamespace: filters.RequestRBAC},
		}}},
		"a script": &luav3.Lua{DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{
			InlineString: `function envoy_on_request(h) h:streamInfo():dynamicMetadata():set("` + filters.RequestRBAC + `", "a", "b") end`,
		}}},
		"a script in bytes": &luav3.Lua{DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte(filters.ConnectionRBAC)}}},
		"a key of a map":    &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{filters.ConnectionRBAC: {}}},
	} {
		if reads, others := namersOfRBAC(t, m); reads != 0 || len(others) != 1 {
			t.Errorf("%s: %d reads, and found %v", name, reads, others)
		}
	}
	if reads, others := namersOfRBAC(t, hasMetadata(filters.AdmittedRequest, admittedResult)); reads != 0 || len(others) != 1 {
		t.Errorf("a reader outside of RBAC: %d reads, and found %v", reads, others)
	}
	reader := &rbacv3.RBAC{Policies: map[string]*rbacv3.Policy{"a": {Permissions: []*rbacv3.Permission{hasMetadata(filters.AdmittedRequest, admittedResult)}}}}
	if reads, others := namersOfRBAC(t, pack(reader)); reads != 1 || len(others) != 0 {
		t.Errorf("RBAC: %d reads, and found %v", reads, others)
	}
}

// namersOfRBAC counts where a rule of RBAC reads the metadata of RBAC, and gives all
// else that has its name in a text.
func namersOfRBAC(t *testing.T, m proto.Message) (reads int, others []string) {
	var visit func(m protoreflect.Message, path []string)
	found := func(text string, path []string) {
		if !strings.Contains(text, filters.RequestRBAC) && !strings.Contains(text, filters.ConnectionRBAC) {
			return
		}
		if slices.Contains(path, "envoy.config.rbac.v3.RBAC") && path[len(path)-1] == "envoy.type.matcher.v3.MetadataMatcher" {
			reads++
		} else {
			others = append(others, fmt.Sprintf("%s: %.80q", strings.Join(path, " > "), text))
		}
	}
	visit = func(m protoreflect.Message, path []string) {
		if a, ok := m.Interface().(*anypb.Any); ok {
			inner, err := a.UnmarshalNew()
			if err != nil {
				t.Fatal(err)
			}
			m = inner.ProtoReflect()
		}
		path = append(slices.Clip(path), string(m.Descriptor().FullName()))
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			eachText(f, v, func(text string) { found(text, path) })
			return true
		})
		envoytest.EachMessage(m, func(child protoreflect.Message) { visit(child, path) })
	}
	visit(m.ProtoReflect(), nil)
	return reads, others
}

// eachText visits the texts of a field, keys of a map and bytes included.
func eachText(f protoreflect.FieldDescriptor, v protoreflect.Value, visit func(string)) {
	of := func(f protoreflect.FieldDescriptor, v protoreflect.Value) {
		switch f.Kind() {
		case protoreflect.StringKind:
			visit(v.String())
		case protoreflect.BytesKind:
			visit(string(v.Bytes()))
		}
	}
	switch {
	case f.IsMap():
		v.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			visit(key.String())
			of(f.MapValue(), value)
			return true
		})
	case f.IsList():
		for i := range v.List().Len() {
			of(f, v.List().Get(i))
		}
	default:
		of(f, v)
	}
}
