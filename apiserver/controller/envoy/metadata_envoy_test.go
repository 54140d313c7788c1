//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	setmetadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_metadata/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// auditedShop is shopAccess, with Audit policies of both actions that say the same.
func auditedShop() model.Access {
	access := shopAccess()
	access.Audit = &model.Audit{Closed: true, Deny: access.Deny, Allow: access.Allow, AllowPolicies: []string{"shop/readers"}}
	return access
}

// TestEnvoyWritesTheMetadataThatTheTableSays: RBAC filters of requests and of
// connections write keys that the table says they do, and no other filter of their
// lists writes one, so a closed port can go by them.
func TestEnvoyWritesTheMetadataThatTheTableSays(t *testing.T) {
	for _, c := range []struct {
		name     string
		access   model.Access
		keep     func(url string) bool
		rogue    bool
		requests []string // keys of filters.RequestRBAC
		reached  []string // keys of filters.ConnectionRBAC
	}{
		{
			name: "all filters", access: shopAccess(),
			requests: []string{
				"admitted_enforced_engine_result", "admitted_shadow_effective_policy_id", "admitted_shadow_engine_result",
				"allowenforced_engine_result", "denyenforced_engine_result",
			},
			reached: []string{"admitted_shadow_effective_policy_id", "admitted_shadow_engine_result"},
		},
		{
			name: "with Audit policies", access: auditedShop(),
			requests: []string{
				"admitted_enforced_engine_result", "admitted_shadow_effective_policy_id", "admitted_shadow_engine_result",
				"allowenforced_engine_result", "audit_allowshadow_effective_policy_id", "audit_allowshadow_engine_result",
				"audit_denyshadow_engine_result", "denyenforced_engine_result",
			},
			reached: []string{"audit_allowshadow_effective_policy_id", "audit_allowshadow_engine_result", "audit_denyshadow_engine_result"},
		},
		{name: "without the RBAC filters", access: auditedShop(), keep: isNotRBAC},
		{name: "with one that the table would not have", access: auditedShop(), keep: isNotRBAC, rogue: true, requests: []string{filters.AdmittedRequest.Key}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requests, connections := metadataWritten(t, c.access, c.keep, c.rogue)
			for _, got := range []struct {
				namespace  string
				keys, want []string
				list       filters.List
			}{
				{filters.RequestRBAC, requests, c.requests, filters.InboundRequests},
				{filters.ConnectionRBAC, connections, c.reached, filters.InboundTCP},
			} {
				if !slices.Equal(got.keys, got.want) {
					t.Errorf("%s has %v, want %v", got.namespace, got.keys, got.want)
				}
				for _, key := range got.keys {
					if !c.rogue && !written(got.list, got.namespace, key) {
						t.Errorf("the table has no filter that writes %s of %s", key, got.namespace)
					}
				}
			}
		})
	}
}

func written(l filters.List, namespace, key string) bool {
	return slices.ContainsFunc(filters.In(l), func(f filters.Filter) bool {
		return slices.ContainsFunc(f.Writes, func(m filters.Metadata) bool {
			return m.Namespace == namespace && strings.HasPrefix(key, m.Key)
		})
	})
}

func isNotRBAC(url string) bool {
	return url != pack(&httprbacv3.RBAC{}).TypeUrl && url != pack(&networkrbacv3.RBAC{}).TypeUrl
}

// metadataWritten are the keys that RBAC's namespaces have at the end of a request
// and of a connection. keep leaves out filters by their types; a rogue one says at
// once that requests are admitted.
func metadataWritten(t *testing.T, access model.Access, keep func(url string) bool, rogue bool) (requests, connections []string) {
	t.Helper()
	web, tcp, admin := envoytest.FreePort(t), envoytest.FreePort(t), envoytest.FreePort(t)
	end, manager := requestFilters(t, testMesh, access)[0], &hcmv3.HttpConnectionManager{}
	if err := end.GetTypedConfig().UnmarshalTo(manager); err != nil {
		t.Fatal(err)
	}
	if keep != nil {
		manager.HttpFilters = slices.DeleteFunc(manager.HttpFilters, func(f *hcmv3.HttpFilter) bool { return !keep(f.GetTypedConfig().TypeUrl) })
	}
	if rogue {
		value := &structpb.Struct{Fields: map[string]*structpb.Value{filters.AdmittedRequest.Key: structpb.NewStringValue(admittedResult)}}
		set := &setmetadatav3.Config{Metadata: []*setmetadatav3.Metadata{{MetadataNamespace: filters.RequestRBAC, Value: value}}}
		manager.HttpFilters = append([]*hcmv3.HttpFilter{httpFilter("rogue", set)}, manager.HttpFilters...)
	}
	manager.AccessLog = []*accesslogv3.AccessLog{metadataLog("request", filters.RequestRBAC)}
	chain := connectionFilters(t, testMesh, access)
	if keep != nil {
		chain = slices.DeleteFunc(chain, func(f *listenerv3.Filter) bool { return !keep(f.GetTypedConfig().TypeUrl) })
	}
	e := inboundEnvoy{
		web: fmt.Sprintf("http://127.0.0.1:%d", web), tcp: fmt.Sprintf("127.0.0.1:%d", tcp), admin: fmt.Sprintf("127.0.0.1:%d", admin),
		output: &output{},
	}
	e.run(t, &bootstrapv3.Bootstrap{
		Node:  &corev3.Node{Id: "pod", Cluster: "shop"},
		Admin: &bootstrapv3.Admin{Address: socketAddress("127.0.0.1", admin)},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters: []*clusterv3.Cluster{staticCluster("echo", socketAddress("127.0.0.1", portOf(startEcho(t))))},
			Listeners: []*listenerv3.Listener{
				{
					Name: "tcp", Address: socketAddress("127.0.0.1", tcp), FilterChains: []*listenerv3.FilterChain{{Filters: chain}},
					AccessLog: []*accesslogv3.AccessLog{metadataLog("connection", filters.ConnectionRBAC)},
				},
				{Name: "web", Address: socketAddress("127.0.0.1", web), FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{networkFilter(filters.Manager, manager)}}}},
			},
		},
	})
	answer, err := http.Get(e.web + "/books/1")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if keep == nil && answer.StatusCode != http.StatusOK {
		t.Errorf("answered %s", answer.Status)
	}
	// 127.0.0.2 is admitted, and may speak.
	conn := dialFrom(t, "127.0.0.2", e.tcp)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, len("hello"))); err != nil {
		t.Errorf("no echo: %v", err)
	}
	conn.Close()
	return e.metadata(t, "request"), e.metadata(t, "connection")
}

// metadataLog logs a namespace of dynamic metadata as JSON, under a name.
func metadataLog(name, namespace string) *accesslogv3.AccessLog {
	format := &structpb.Struct{Fields: map[string]*structpb.Value{
		"of":       structpb.NewStringValue(name),
		"metadata": structpb.NewStringValue("%DYNAMIC_METADATA(" + namespace + ")%"),
	}}
	return &accesslogv3.AccessLog{
		Name: "envoy.access_loggers.stdout",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&streamv3.StdoutAccessLog{
			AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: format},
			}},
		})},
	}
}

// metadata waits for a line of that name and gives the keys in it.
func (e inboundEnvoy) metadata(t *testing.T, of string) (keys []string) {
	t.Helper()
	eventually(t, of+" is logged", func() bool {
		for text := range strings.Lines(e.output.String()) {
			var line struct {
				Of       string
				Metadata map[string]any
			}
			if json.Unmarshal([]byte(text), &line) == nil && line.Of == of {
				keys = slices.Sorted(maps.Keys(line.Metadata))
				return true
			}
		}
		return false
	})
	return keys
}

func dialFrom(t *testing.T, ip, address string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
