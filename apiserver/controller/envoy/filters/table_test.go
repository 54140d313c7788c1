// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"slices"
	"strings"
	"testing"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_metadata/v3"
	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
)

func TestTableKeepsItsRules(t *testing.T) {
	if err := Check(Table); err != nil {
		t.Error(err)
	}
}

// TestCheckRefuses tables that are wrong in one thing.
func TestCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*[]Filter)
		want   string
	}{
		"a filter that may write what closed ports read": {
			inserted(AllowRequests, Filter{
				Name: "set", Lists: []List{InboundRequests}, Phase: Allow, Config: &metadatav3.Config{},
				Writes: []Metadata{AdmittedRequest},
			}),
			"set: it may write envoy.filters.http.rbac",
		},
		"one that may write any metadata": {
			inserted("deny", Filter{
				Name: "limit", Lists: []List{InboundTCP}, Phase: Deny, Config: &limitv3.ConnectionLimit{},
				Writes: []Metadata{{}},
			}),
			"limit: it may write",
		},
		"a second RBAC filter that writes what another reads": {
			changed(DenyRequests, func(f *Filter) { f.Writes = []Metadata{{RequestRBAC, ""}} }),
			"which 2 filters have written",
		},
		"a reader before the writer": {
			func(table *[]Filter) {
				i, j := indexOf(*table, AllowRequests), indexOf(*table, CloseRequests)
				(*table)[i], (*table)[j] = (*table)[j], (*table)[i]
			},
			"which 0 filters have written",
		},
		"a filter before one of an earlier phase": {
			inserted(DenyRequests, Filter{Name: "late", Lists: []List{InboundRequests}, Phase: Allow, Config: &corsv3.Cors{}}),
			"mesh.rbac.deny comes after late",
		},
		"two of one name": {
			inserted(CloseRequests, Filter{Name: AllowRequests, Lists: []List{InboundRequests}, Phase: Allow, Config: &corsv3.Cors{}}),
			"two are named mesh.rbac.allow",
		},
		"a filter of connections that is off": {
			changed(TCPProxy, func(f *Filter) { f.Presence = Off }),
			"cannot be enabled or configured by a route",
		},
		"a list without an end": {
			func(table *[]Filter) {
				*table = slices.Delete(*table, indexOf(*table, Router), indexOf(*table, Router)+1)
			},
			"the end of the list",
		},
		"a filter without a configuration": {
			changed(DenyRequests, func(f *Filter) { f.Config = nil }),
			"has no configuration",
		},
	} {
		t.Run(name, func(t *testing.T) {
			table := slices.Clone(Table)
			c.change(&table)
			if err := Check(table); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func inserted(before string, f Filter) func(*[]Filter) {
	return func(table *[]Filter) { *table = slices.Insert(*table, indexOf(*table, before), f) }
}

func changed(name string, change func(*Filter)) func(*[]Filter) {
	return func(table *[]Filter) { change(&(*table)[indexOf(*table, name)]) }
}

func indexOf(table []Filter, name string) int {
	return slices.IndexFunc(table, func(f Filter) bool { return f.Name == name })
}

func TestInKeepsTheOrderOfTheTable(t *testing.T) {
	for l, want := range map[List]string{
		InboundRequests:  "mesh.rbac.deny mesh.rbac.allow mesh.rbac.closed envoy.filters.http.router",
		OutboundRequests: "envoy.filters.http.router",
		InboundTCP:       "deny allow envoy.filters.network.tcp_proxy",
		OutboundDetected: "envoy.filters.network.set_filter_state envoy.filters.network.http_connection_manager",
		InboundListener:  "envoy.filters.listener.original_dst envoy.filters.listener.tls_inspector",
	} {
		var names []string
		for _, f := range In(l) {
			names = append(names, f.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%v: %s, want %s", l, got, want)
		}
	}
}
