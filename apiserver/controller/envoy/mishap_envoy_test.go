//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/grpc"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
)

// hasty are clients that send and go at once, by what they send.
var hasty = []string{"abc", "abcdef", "hello\n", "\x00\x01\x02\x03\x04\x05", "GET"}

// TestEnvoyCarriesWhatAHastyClientSendsToADeclaredPort: where nothing is detected,
// nothing is lost of a client that closes, or closes one half, right after it has
// sent.
func TestEnvoyCarriesWhatAHastyClientSendsToADeclaredPort(t *testing.T) {
	t.Parallel()
	e := startSniffing(t, model.ProtocolTCP)
	const each = 20
	for range each {
		for _, text := range hasty {
			e.send(t, e.port, text)
			if got := e.sendHalf(t, e.port, text); got != text {
				t.Errorf("a client that sends %q and closes one half is answered %q, want the echo", text, got)
			}
		}
	}
	eventually(t, "all have arrived", func() bool { return e.arrived() == 2*each*len(hasty) })
	if got := e.mishaps(); len(got) > 0 {
		t.Errorf("mishaps: %v, want none", got)
	}
}

// TestEnvoyLosesNoConnectionSilentlyWhereItDetects: a client that closes before its
// protocol is known loses what it has sent, and each one is counted and told to
// the control plane, by the Service's port.
func TestEnvoyLosesNoConnectionSilentlyWhereItDetects(t *testing.T) {
	t.Parallel()
	e := startSniffing(t, model.ProtocolDetect)
	const each = 20
	for range each {
		for _, text := range hasty {
			e.send(t, e.port, text)
			e.sendHalf(t, e.port, text)
		}
	}
	lost := model.Mishap{Kind: model.MishapUndetected, Service: model.ServiceKey{Namespace: "shop", Name: "web"}, Port: e.port}
	eventually(t, "each connection has arrived or is told", func() bool {
		return e.arrived()+int(e.mishaps()[lost]) == 2*each*len(hasty)
	})
	t.Logf("%d of %d have arrived", e.arrived(), 2*each*len(hasty))
	if got := e.mishaps(); got[lost] == 0 || len(got) != 1 {
		t.Errorf("mishaps: %v, want some of %v, and no others", got, lost)
	}
}

// TestEnvoyTakesTextForTCPAtItsFirstByte: what begins no method of HTTP does not
// have to wait, and is not lost when the client closes later.
func TestEnvoyTakesTextForTCPAtItsFirstByte(t *testing.T) {
	t.Parallel()
	e := startSniffing(t, model.ProtocolDetect, func(l *listenerv3.Listener) { l.ListenerFiltersTimeout = dur(time.Hour) })
	for _, text := range []string{"abcdef", "hello", "\x00\x01", "*1", "{\"level\":", "EHLO"} {
		conn := e.dial(t, e.port)
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, len(text))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != text {
			t.Errorf("%q: answered %q, %v, want the echo before the time for detection ends", text, answer, err)
		}
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
			t.Errorf("%q: after the client's end %q, %v, want the server's", text, rest, err)
		}
	}
}

// TestEnvoyTellsOfTLSOnAPortOfHTTP: a client that makes TLS by itself on a port
// that is declared as HTTP is ended, and the control plane is told.
func TestEnvoyTellsOfTLSOnAPortOfHTTP(t *testing.T) {
	t.Parallel()
	for _, protocol := range []model.Protocol{model.ProtocolHTTP1, model.ProtocolHTTP2, model.ProtocolGRPC} {
		t.Run(string(protocol), func(t *testing.T) {
			e := startSniffing(t, protocol)
			answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", e.port))
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("a request: %v, %v, want 200", answer, err)
			}
			answer.Body.Close()
			if err := tls.Client(e.dial(t, e.port), &tls.Config{ServerName: "web.shop"}).Handshake(); err == nil {
				t.Error("the handshake is answered")
			}
			want := model.Mishap{Kind: model.MishapNotHTTP, Service: model.ServiceKey{Namespace: "shop", Name: "web"}, Port: e.port}
			eventually(t, "the one of TLS is told, and no request", func() bool { return e.mishaps()[want] == 1 })
			if got := e.mishaps(); len(got) != 1 {
				t.Errorf("mishaps: %v, want %v alone", got, want)
			}
		})
	}
}

// TestEnvoyLosesNoConnectionSilentlyAtAPermissivePort: the same at the callee,
// where the proxy looks for TLS, and by the pod's port.
func TestEnvoyLosesNoConnectionSilentlyAtAPermissivePort(t *testing.T) {
	t.Parallel()
	e := startPermissive(t)
	const each = 20
	for range each {
		for _, text := range hasty {
			e.send(t, e.port, text)
		}
	}
	lost := model.Mishap{Kind: model.MishapUndetected, Port: e.port}
	eventually(t, "each connection has arrived or is told", func() bool {
		return e.arrived()+int(e.mishaps()[lost]) == each*len(hasty)
	})
	t.Logf("%d of %d have arrived", e.arrived(), each*len(hasty))

	conn := e.dial(t, e.web)
	if err := tls.Client(conn, &tls.Config{ServerName: "web.shop"}).Handshake(); err == nil {
		t.Error("the handshake at a port of HTTP is answered")
	}
	// In plaintext a Strict port has no chain either, which is no matter of TLS.
	if answer, err := io.ReadAll(e.writeTo(t, e.strict, "hello, who is there?")); len(answer) > 0 {
		t.Errorf("a Strict port answers plaintext with %q, %v", answer, err)
	}
	foreign := model.Mishap{Kind: model.MishapNotHTTP, Port: e.web}
	eventually(t, "the one of TLS is told", func() bool { return e.mishaps()[foreign] == 1 })
	for m := range e.mishaps() {
		if m != lost && m != foreign {
			t.Errorf("%+v is told, and has not happened", m)
		}
	}
}

// sniffing is an Envoy with listeners of ours, and behind them an echo that counts
// what has arrived. It tells its mishaps.
type sniffing struct {
	inboundEnvoy
	// port is of TCP or what the test is about; web and strict are other ports of
	// a workload.
	port, web, strict uint16

	mu   *sync.Mutex
	came *int
	told map[model.Mishap]int64
}

// startSniffing runs the caller's listener of a Service's port.
func startSniffing(t *testing.T, protocol model.Protocol, change ...func(*listenerv3.Listener)) sniffing {
	t.Helper()
	e := newSniffing(t)
	service := model.Service{
		Key:       model.ServiceKey{Namespace: "shop", Name: "web"},
		Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Ports:     []model.ServicePort{{Number: e.port, Protocol: protocol}},
	}
	resources, err := serviceListeners(service, service.Ports[0])
	if err != nil {
		t.Fatal(err)
	}
	l := &listenerv3.Listener{}
	if err := resources[0].Body.UnmarshalTo(l); err != nil {
		t.Fatal(err)
	}
	l.BindToPort = nil
	for _, c := range l.FilterChains {
		standalone(t, c)
	}
	for _, f := range change {
		f(l)
	}
	e.start(t, l)
	return e
}

// startPermissive runs the inbound listener of a workload with a port of TCP and
// one of HTTP that take plaintext, and one that does not.
func startPermissive(t *testing.T) sniffing {
	t.Helper()
	e := newSniffing(t)
	e.web, e.strict = envoytest.FreePort(t), envoytest.FreePort(t)
	w := model.Workload{View: "view", Namespace: "shop", Ports: []model.InboundPort{
		{Number: e.port, Permissive: true}, {Number: e.web, Permissive: true, Protocol: model.ProtocolHTTP1}, {Number: e.strict},
	}}
	l := inboundListener(testMesh, w, Generations{})
	l.Address, l.AdditionalAddresses = socketAddress("127.0.0.1", e.strict), []*listenerv3.AdditionalAddress{
		{Address: socketAddress("127.0.0.1", e.port)}, {Address: socketAddress("127.0.0.1", e.web)},
	}
	// Nothing redirects here; those of mutual TLS need certificates.
	l.ListenerFilters = slices.DeleteFunc(l.ListenerFilters, func(f *listenerv3.ListenerFilter) bool { return strings.HasSuffix(f.Name, "original_dst") })
	l.FilterChains = slices.DeleteFunc(l.FilterChains, func(c *listenerv3.FilterChain) bool { return c.TransportSocket != nil })
	for _, c := range l.FilterChains {
		standalone(t, c)
	}
	e.start(t, l)
	return e
}

// standalone puts what comes by discovery into a chain: all routes answer 200, and
// connections go to the echo.
func standalone(t *testing.T, c *listenerv3.FilterChain) {
	t.Helper()
	var kept []*listenerv3.Filter
	for _, f := range c.Filters {
		manager := &hcmv3.HttpConnectionManager{}
		switch {
		case f.GetTypedConfig().MessageIs(manager):
			if err := f.GetTypedConfig().UnmarshalTo(manager); err != nil {
				t.Fatal(err)
			}
			manager.HttpFilters = outboundFilters
			manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
				VirtualHosts: []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
					Match:  &routev3.RouteMatch{PathSpecifier: anyPath()},
					Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: http.StatusOK}},
				}}}},
			}}
			kept = append(kept, networkFilter(filters.Manager, manager))
		case strings.HasSuffix(f.Name, "set_filter_state"):
			kept = append(kept, f)
		}
	}
	if len(kept) == 0 && len(c.Filters) > 0 {
		kept = []*listenerv3.Filter{networkFilter(filters.TCPProxy, tcpProxy("tcp", "echo"))}
	}
	c.Filters = kept
}

func newSniffing(t *testing.T) sniffing {
	t.Helper()
	return sniffing{port: envoytest.FreePort(t), mu: &sync.Mutex{}, came: new(int), told: map[model.Mishap]int64{}}
}

func (e *sniffing) start(t *testing.T, l *listenerv3.Listener) {
	t.Helper()
	server := telemetry.New(telemetry.Options{
		View:    func(context.Context) (string, error) { return "view", nil },
		Audited: func(string) map[uint16]model.Audit { return nil },
		Mishap: func(_ string, m model.Mishap, n int64) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.told[m] += n
		},
	})
	collector := listen(t)
	g := grpc.NewServer()
	server.Register(g)
	go func() { _ = g.Serve(collector) }()
	t.Cleanup(g.Stop)
	xds := staticCluster(clusterXDS, socketAddress("127.0.0.1", portOf(collector)))
	xds.TypedExtensionProtocolOptions = http2Upstream(http2Options())
	ready := envoytest.FreePort(t)
	e.inboundEnvoy = inboundEnvoy{tcp: fmt.Sprintf("127.0.0.1:%d", ready), output: &output{}}
	e.run(t, &bootstrapv3.Bootstrap{
		Node:               &corev3.Node{Id: "pod", Cluster: "shop"},
		StatsConfig:        statsConfig(),
		StatsSinks:         []*metricsv3.StatsSink{auditSink()},
		StatsFlushInterval: dur(200 * time.Millisecond),
		LayeredRuntime:     runtime(),
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters: []*clusterv3.Cluster{xds, staticCluster("echo", socketAddress("127.0.0.1", portOf(e.startEcho(t))))},
			// A connection to l would be counted; Envoy listens in this order.
			Listeners: []*listenerv3.Listener{l, {
				Name: "ready", Address: socketAddress("127.0.0.1", ready),
				FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{networkFilter(filters.TCPProxy, tcpProxy("ready", clusterXDS))}}},
			}},
		},
	})
}

// startEcho counts the connections that bring something, and answers it.
func (e *sniffing) startEcho(t *testing.T) net.Listener {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				first := make([]byte, 1024)
				n, _ := conn.Read(first)
				if n == 0 {
					return
				}
				e.mu.Lock()
				*e.came++
				e.mu.Unlock()
				_, _ = conn.Write(first[:n])
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l
}

// arrived is how many connections have brought something.
func (e *sniffing) arrived() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return *e.came
}

func (e *sniffing) mishaps() map[model.Mishap]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	told := map[model.Mishap]int64{}
	for m, n := range e.told {
		told[m] = n
	}
	return told
}

func (e *sniffing) dial(t *testing.T, port uint16) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func (e *sniffing) writeTo(t *testing.T, port uint16, text string) *net.TCPConn {
	t.Helper()
	conn := e.dial(t, port)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// send sends and closes.
func (e *sniffing) send(t *testing.T, port uint16, text string) {
	t.Helper()
	e.writeTo(t, port, text).Close()
}

// sendHalf sends, closes for writing, and gives what it is answered.
func (e *sniffing) sendHalf(t *testing.T, port uint16, text string) string {
	t.Helper()
	conn := e.writeTo(t, port, text)
	_ = conn.CloseWrite()
	answer, _ := io.ReadAll(conn)
	return string(answer)
}
