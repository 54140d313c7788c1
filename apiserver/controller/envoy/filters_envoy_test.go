//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	filterchainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	localratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
)

// discovering is an Envoy that has an outbound listener and its routes by discovery.
type discovering struct {
	inboundEnvoy
	dir      string
	listener *listenerv3.Listener
	routes   *routev3.RouteConfiguration
}

// startDiscovering gives the manager more filters, before the router.
func startDiscovering(t *testing.T, more ...*hcmv3.HttpFilter) *discovering {
	t.Helper()
	port := envoytest.FreePort(t)
	e := &discovering{dir: t.TempDir(), routes: &routev3.RouteConfiguration{}}
	e.web, e.output = fmt.Sprintf("http://127.0.0.1:%d", port), &output{}
	e.admin = fmt.Sprintf("127.0.0.1:%d", envoytest.FreePort(t))
	decode(t, must(routesTo("books"))(t), e.routes)
	for _, r := range e.routes.VirtualHosts[0].Routes {
		r.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: http.StatusOK}}
	}
	e.listener = &listenerv3.Listener{Name: "books", Address: socketAddress("127.0.0.1", port)}
	e.give(t, more...)
	e.publish(t, "routes.json", e.routes)
	e.run(t, &bootstrapv3.Bootstrap{
		Node:             &corev3.Node{Id: "pod", Cluster: "shop"},
		Admin:            &bootstrapv3.Admin{Address: socketAddress("127.0.0.1", portIn(t, e.admin))},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{LdsConfig: fromFile(filepath.Join(e.dir, "listeners.json"))},
	})
	return e
}

// give publishes the listener with these filters before the router.
func (e *discovering) give(t *testing.T, more ...*hcmv3.HttpFilter) {
	t.Helper()
	manager := outboundManager("books")
	manager.RouteSpecifier = &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "books", ConfigSource: fromFile(filepath.Join(e.dir, "routes.json"))}}
	manager.HttpFilters = append(slices.Clone(more), outboundFilters...)
	e.listener.FilterChains = []*listenerv3.FilterChain{chain("books", chainFilters(filters.OutboundHTTP, "", manager))}
	e.publish(t, "listeners.json", e.listener)
}

// publish replaces a file, which Envoy watches.
func (e *discovering) publish(t *testing.T, name string, resource proto.Message) {
	t.Helper()
	body, err := messageJSON(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{pack(resource)}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(e.dir, name)
	if err := os.WriteFile(file+".new", body, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func portIn(t *testing.T, address string) uint16 {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(a.Port)
}

// kept is a connection on which requests follow one another.
type kept struct {
	conn net.Conn
	in   *bufio.Reader
}

func (e *discovering) dial(t *testing.T) kept {
	t.Helper()
	conn, err := net.Dial("tcp", e.web[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return kept{conn, bufio.NewReader(conn)}
}

func (k kept) get(t *testing.T) int { return k.getPath(t, "/") }

// getPath gives the status, 0 if the connection has ended.
func (k kept) getPath(t *testing.T, path string) int {
	t.Helper()
	_ = k.conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(k.conn, "GET "+path+" HTTP/1.1\r\nHost: books\r\n\r\n"); err != nil {
		return 0
	}
	answer, err := http.ReadResponse(k.in, nil)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// draining are what LDS counts of a listener that changes.
func (e *discovering) draining(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("modified %s, in place %s, chains draining %s",
		e.stat(t, "listener_manager.listener_modified"), e.stat(t, "listener_manager.listener_in_place_updated"), e.stat(t, "listener_manager.total_filter_chains_draining"))
}

// teapot answers each request by itself.
func teapot() *faultv3.HTTPFault {
	return &faultv3.HTTPFault{Abort: &faultv3.FaultAbort{
		ErrorType:  &faultv3.FaultAbort_HttpStatus{HttpStatus: http.StatusTeapot},
		Percentage: &typev3.FractionalPercent{Numerator: 100},
	}}
}

func off(name string, config proto.Message) *hcmv3.HttpFilter {
	f := httpFilter(name, config)
	f.Disabled = true
	return f
}

// TestEnvoyEnablesAFilterByRoutesAndDrainsNothing: docs/decisions/filter-table.md
// rests on it. A filter that is off is enabled by RDS on connections that are open,
// and so is one that is no part of the listener, in an empty filter_chain.
func TestEnvoyEnablesAFilterByRoutesAndDrainsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		filter   *hcmv3.HttpFilter
		override proto.Message
	}{
		"a filter that is off": {off("mesh.fault", &faultv3.HTTPFault{}), teapot()},
		"a filter in a filter_chain": {
			off("mesh.more", &filterchainv3.FilterChainConfig{}),
			&filterchainv3.FilterChainConfigPerRoute{FilterChain: &filterchainv3.FilterChain{Filters: []*corev3.TypedExtensionConfig{extension("fault", teapot())}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startDiscovering(t, c.filter)
			open := e.dial(t)
			if got := open.get(t); got != http.StatusOK {
				t.Fatalf("answered %d while it is off", got)
			}
			e.routes.TypedPerFilterConfig = map[string]*anypb.Any{c.filter.Name: pack(c.override)}
			e.publish(t, "routes.json", e.routes)
			eventually(t, "the open connection gets the filter", func() bool { return open.get(t) == http.StatusTeapot })
			e.routes.TypedPerFilterConfig = nil
			e.publish(t, "routes.json", e.routes)
			eventually(t, "the open connection gets rid of the filter", func() bool { return open.get(t) == http.StatusOK })
			if got, want := e.draining(t), "modified 0, in place 0, chains draining 0"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// TestEnvoyKeepsWhatAFilterRemembersByECDSAlone: what routes configure is made anew
// with each change of the routes, so a limit begins again, in an empty filter_chain
// too. A filter by ECDS, which routes enable only, stays.
func TestEnvoyKeepsWhatAFilterRemembersByECDSAlone(t *testing.T) {
	always := &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100}}
	twice := &localratelimitv3.LocalRateLimit{
		StatPrefix: "limit", FilterEnabled: always, FilterEnforced: always,
		TokenBucket: &typev3.TokenBucket{MaxTokens: 2, FillInterval: dur(time.Hour)},
	}
	discovered := &discovering{dir: t.TempDir()}
	discovered.publish(t, "limit.json", extension("mesh.limit", twice))
	byECDS := &hcmv3.HttpFilter{Name: "mesh.limit", Disabled: true, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
		ConfigSource: fromFile(filepath.Join(discovered.dir, "limit.json")), TypeUrls: []string{pack(twice).TypeUrl},
	}}}
	for name, c := range map[string]struct {
		filter   *hcmv3.HttpFilter
		override proto.Message
		want     int
	}{
		"by routes": {off("mesh.limit", &localratelimitv3.LocalRateLimit{StatPrefix: "limit"}), twice, http.StatusOK},
		"by routes, in a filter_chain": {
			off("mesh.more", &filterchainv3.FilterChainConfig{}),
			&filterchainv3.FilterChainConfigPerRoute{FilterChain: &filterchainv3.FilterChain{Filters: []*corev3.TypedExtensionConfig{extension("limit", twice)}}},
			http.StatusOK,
		},
		"by ECDS": {byECDS, &routev3.FilterConfig{Config: &anypb.Any{}}, http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startDiscovering(t, c.filter)
			e.routes.TypedPerFilterConfig = map[string]*anypb.Any{c.filter.Name: pack(c.override)}
			e.publish(t, "routes.json", e.routes)
			open := e.dial(t)
			eventually(t, "the limit is reached", func() bool { return open.get(t) == http.StatusTooManyRequests })
			e.routes.VirtualHosts[0].Routes = append([]*routev3.Route{{
				Match:                &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: "/new"}},
				Action:               &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: http.StatusAccepted}},
				TypedPerFilterConfig: map[string]*anypb.Any{c.filter.Name: pack(&routev3.FilterConfig{Disabled: true})},
			}}, e.routes.VirtualHosts[0].Routes...)
			e.publish(t, "routes.json", e.routes)
			eventually(t, "there is another route", func() bool { return open.getPath(t, "/new") == http.StatusAccepted })
			if got := open.get(t); got != c.want {
				t.Errorf("answered %d after the routes have changed, want %d", got, c.want)
			}
		})
	}
}

// TestEnvoyDrainsTheChainThatGetsAFilter, even if that is off: new connections have
// it, and those that are open go on without it and end within the drain time.
func TestEnvoyDrainsTheChainThatGetsAFilter(t *testing.T) {
	e := startDiscovering(t)
	open := e.dial(t)
	if got := open.get(t); got != http.StatusOK {
		t.Fatalf("answered %d", got)
	}
	e.give(t, off("mesh.fault", &faultv3.HTTPFault{}))
	e.routes.TypedPerFilterConfig = map[string]*anypb.Any{"mesh.fault": pack(teapot())}
	e.publish(t, "routes.json", e.routes)
	eventually(t, "a new connection has the filter", func() bool { return e.dial(t).get(t) == http.StatusTeapot })
	if got, want := e.draining(t), "modified 1, in place 1, chains draining 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := open.get(t); got != http.StatusOK {
		t.Errorf("answered %d on the connection of before", got)
	}
}
