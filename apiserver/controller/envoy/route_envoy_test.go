//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// routed is a real Envoy, as a caller's proxy that has the routes of one port.
type routed struct {
	inboundEnvoy
	backends map[string]*backend
}

// backend is an application that answers with its name, or as it is told.
type backend struct {
	name string
	port uint16

	mu       sync.Mutex
	requests []string
	answer   func(http.ResponseWriter, *http.Request, int)
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.requests = append(b.requests, r.Method+" "+r.Host+r.URL.RequestURI())
	answer, n := b.answer, len(b.requests)
	b.mu.Unlock()
	if answer != nil {
		answer(w, r, n)
		return
	}
	fmt.Fprint(w, b.name)
}

// took gives what requests it has had, and forgets them.
func (b *backend) took() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	took := b.requests
	b.requests = nil
	return took
}

func (b *backend) answers(with func(w http.ResponseWriter, r *http.Request, n int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer, b.requests = with, nil
}

// startBackend speaks HTTP/1.1 and HTTP/2, or sends its name to each connection.
func startBackend(t *testing.T, name string, protocol model.Protocol) *backend {
	t.Helper()
	l := listen(t)
	b := &backend{name: name, port: portOf(l)}
	if protocol == model.ProtocolTCP {
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(conn, name)
				conn.Close()
			}
		}()
		return b
	}
	server := &http.Server{Handler: b, Protocols: &http.Protocols{}}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return b
}

// to is a backend of Service shop/<name>.
func to(name string, weight uint32) model.Backend {
	return model.Backend{Service: model.ServiceKey{Namespace: "shop", Name: name}, Port: 80, Weight: weight}
}

func missing(weight uint32) model.Backend {
	return model.Backend{Service: model.ServiceKey{Namespace: "shop", Name: "gone"}, Port: 80, Weight: weight, Missing: true}
}

// startRouted runs an Envoy with the routes for everybody of port 80 of Service
// shop/web, and with these backends.
func startRouted(t *testing.T, protocol model.Protocol, routes model.Routes, backends ...string) routed {
	t.Helper()
	key := model.ServiceKey{Namespace: "shop", Name: "web"}
	port := model.ServicePort{Number: 80, Protocol: protocol, Routes: []model.Routes{routes}}
	r := routed{backends: map[string]*backend{}}
	var clusters []*clusterv3.Cluster
	for _, name := range backends {
		spoken := protocol
		if strings.HasPrefix(name, "tcp") {
			spoken = model.ProtocolTCP
		}
		b := startBackend(t, name, spoken)
		r.backends[name] = b
		c := staticCluster(ServicePortName(to(name, 1).Service, 80), socketAddress("127.0.0.1", b.port))
		c.TypedExtensionProtocolOptions = protocolOptions(protocol)
		clusters = append(clusters, c)
	}
	resources, err := Service(model.Service{Key: key, Ports: []model.ServicePort{port}})
	if err != nil {
		t.Fatal(err)
	}
	l := &listenerv3.Listener{Name: "out", Address: socketAddress("127.0.0.1", envoytest.FreePort(t))}
	l.FilterChains = []*listenerv3.FilterChain{serviceChain("out", ServicePortName(key, port.Number), port.Protocol)}
	if protocol == model.ProtocolDetect {
		detect(l, ServicePortName(key, port.Number))
	}
	for _, resource := range resources {
		switch resource.TypeURL {
		case pack(&routev3.RouteConfiguration{}).TypeUrl:
			config := &routev3.RouteConfiguration{}
			decode(t, resource, config)
			for _, c := range l.FilterChains {
				if last := c.Filters[len(c.Filters)-1]; last.Name == "envoy.filters.network.http_connection_manager" {
					withRoutes(t, last, config)
				}
			}
		case pack(extension("", &tcpproxyv3.TcpProxy{})).TypeUrl:
			proxy := &tcpproxyv3.TcpProxy{}
			unpackExtension(t, resource, proxy)
			for _, c := range l.FilterChains {
				if last := &c.Filters[len(c.Filters)-1]; (*last).GetConfigDiscovery() != nil {
					*last = networkFilter(filters.TCPProxy, proxy)
				}
			}
		}
	}
	address := fmt.Sprintf("127.0.0.1:%d", l.Address.GetSocketAddress().GetPortValue())
	r.inboundEnvoy = inboundEnvoy{output: &output{}, web: "http://" + address, tcp: address}
	r.run(t, &bootstrapv3.Bootstrap{StaticResources: &bootstrapv3.Bootstrap_StaticResources{
		Clusters: clusters, Listeners: []*listenerv3.Listener{l},
	}})
	return r
}

// ask sends a request and gives "<status> <body>".
func (r routed) ask(t *testing.T, method, path string, headers ...string) string {
	t.Helper()
	request, err := http.NewRequest(method, r.web+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprint(answer.StatusCode, " ", string(body)))
}

// connect gives what a connection hears.
func (r routed) connect(t *testing.T) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	// A reset is an end too, and the time is not.
	said, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return string(said)
}

// demandShares compares counts with the shares that are wanted, of 1, within five
// standard deviations: by chance one run in a million fails.
func demandShares(t *testing.T, got map[string]int, want map[string]float64) {
	t.Helper()
	n := 0
	for answer, count := range got {
		n += count
		if want[answer] == 0 {
			t.Errorf("%d answers are %q", count, answer)
		}
	}
	for answer, share := range want {
		tolerance := 5 * math.Sqrt(share*(1-share)*float64(n))
		if expected := share * float64(n); math.Abs(float64(got[answer])-expected) > tolerance {
			t.Errorf("of %d, %d are answered %q, want %.0f ± %.0f", n, got[answer], answer, expected, tolerance)
		}
	}
}

func TestEnvoySharesRequestsByWeight(t *testing.T) {
	r := startRouted(t, model.ProtocolHTTP1, model.Routes{HTTP: []model.HTTPRoute{{Backends: []model.Backend{
		to("v1", 60), to("v2", 25), to("v3", 0), missing(15),
	}}}}, "v1", "v2", "v3")
	got := map[string]int{}
	for range 3000 {
		got[r.ask(t, "GET", "/")]++
	}
	demandShares(t, got, map[string]float64{"200 v1": 0.60, "200 v2": 0.25, "500": 0.15})
}

// A caller may not see the Service of a backend: then its proxy has no such cluster.
func TestEnvoyAnswers500ForABackendThatItDoesNotHave(t *testing.T) {
	r := startRouted(t, model.ProtocolHTTP1, model.Routes{HTTP: []model.HTTPRoute{
		{Match: ofPath(model.ValueExact, "/hidden"), Backends: []model.Backend{to("hidden", 1)}},
		{Match: ofPath(model.ValueExact, "/missing"), Backends: []model.Backend{missing(1)}},
		{Match: ofPath(model.ValueExact, "/no-share"), Backends: []model.Backend{to("v1", 0)}},
		{Match: ofPath(model.ValueExact, "/none")},
		{Match: ofPath(model.ValueExact, "/v1"), Backends: []model.Backend{to("v1", 1)}},
	}}, "v1")
	for path, want := range map[string]string{
		"/hidden": "500", "/missing": "500", "/no-share": "500", "/none": "500", "/v1": "200 v1", "/other": "404",
	} {
		for _, method := range []string{"GET", "POST"} {
			if got := r.ask(t, method, path); got != want {
				t.Errorf("%s %s: answered %q, want %q", method, path, got, want)
			}
		}
	}
}

func TestEnvoyAnswers404WithoutARoute(t *testing.T) {
	r := startRouted(t, model.ProtocolHTTP1, model.Routes{}, "web")
	if got := r.ask(t, "GET", "/"); got != "404" {
		t.Errorf("answered %q, want 404", got)
	}
}

func TestEnvoySharesConnectionsByWeight(t *testing.T) {
	r := startRouted(t, model.ProtocolTCP, model.Routes{TCP: []model.Backend{
		to("v1", 3), to("v2", 1), to("v3", 0), missing(1),
	}}, "v1", "v2", "v3")
	got := map[string]int{}
	for range 1000 {
		got[r.connect(t)]++
	}
	demandShares(t, got, map[string]float64{"v1": 0.6, "v2": 0.2, "": 0.2})

	closed := startRouted(t, model.ProtocolTCP, model.Routes{}, "web")
	if said := closed.connect(t); said != "" {
		t.Errorf("without a route a connection hears %q", said)
	}
	hidden := startRouted(t, model.ProtocolTCP, model.Routes{TCP: []model.Backend{to("hidden", 1)}}, "web")
	if said := hidden.connect(t); said != "" {
		t.Errorf("a connection to a cluster that is not there hears %q", said)
	}
}

// On a port that is detected each connection obeys the routes for what it carries.
func TestEnvoyRoutesWhatItDetects(t *testing.T) {
	r := startRouted(t, model.ProtocolDetect, model.Routes{
		HTTP: []model.HTTPRoute{
			{Match: ofPath(model.ValueExact, "/v2"), Backends: []model.Backend{to("v2", 1)}},
			{Backends: []model.Backend{to("v1", 1), missing(1)}},
		},
		TCP: []model.Backend{to("tcp-1", 1), to("tcp-2", 3)},
	}, "v1", "v2", "tcp-1", "tcp-2")
	if got := r.ask(t, "GET", "/v2"); got != "200 v2" {
		t.Errorf("answered %q, want 200 v2", got)
	}
	requests, connections := map[string]int{}, map[string]int{}
	for range 400 {
		requests[r.ask(t, "GET", "/")]++
	}
	demandShares(t, requests, map[string]float64{"200 v1": 0.5, "500": 0.5})
	// A silent client is taken for TCP after detectTimeout.
	for range 60 {
		connections[r.connect(t)]++
	}
	demandShares(t, connections, map[string]float64{"tcp-1": 0.25, "tcp-2": 0.75})
}

// Two clusters, with settings of their own, take their endpoints from one set: what
// comes to the set comes to both.
func TestEnvoySharesAnEndpointSetBetweenClusters(t *testing.T) {
	key := model.ServiceKey{Namespace: "shop", Name: "web"}
	one, two := startBackend(t, "one", model.ProtocolHTTP1), startBackend(t, "two", model.ProtocolHTTP1)
	endpoints := filepath.Join(t.TempDir(), "endpoints.yaml")
	write := func(b *backend) {
		t.Helper()
		port := model.ServicePort{Number: 80, Endpoints: []model.Endpoint{{Address: netip.MustParseAddr("127.0.0.1"), Port: b.port, Plaintext: true}}}
		set := must(serviceEndpoints(key, port))(t)
		text, err := messageYAML(&discoveryv3.DiscoveryResponse{TypeUrl: set.TypeURL, Resources: []*anypb.Any{set.Body}})
		if err != nil {
			t.Fatal(err)
		}
		// Envoy looks at a file when it is moved to its place.
		if err := os.WriteFile(endpoints+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(endpoints+".new", endpoints); err != nil {
			t.Fatal(err)
		}
	}
	write(one)

	port := model.ServicePort{Number: 80, Protocol: model.ProtocolHTTP1, Unmeshed: true}
	names := []string{ServicePortName(key, 80), ServicePortName(key, 80) + "/other"}
	var clusters []*clusterv3.Cluster
	config := routeConfiguration("routes", retry,
		httpRule{model.HTTPRoute{Match: ofPath(model.ValueExact, "/own")}, wholeTo(names[0])},
		httpRule{model.HTTPRoute{Match: ofPath(model.ValueExact, "/other")}, wholeTo(names[1])})
	for i, name := range names {
		c := edsCluster(name, EndpointSetName(key, 80), key, port)
		c.EdsClusterConfig.EdsConfig = fromFile(endpoints)
		c.ConnectTimeout = dur(time.Duration(i+1) * time.Second)
		c.TransportSocket = rawBuffer()
		clusters = append(clusters, c)
	}
	front := envoytest.FreePort(t)
	filter := networkFilter(filters.Manager, outboundManager("routes"))
	withRoutes(t, filter, config)
	r := routed{inboundEnvoy: inboundEnvoy{output: &output{}, web: fmt.Sprintf("http://127.0.0.1:%d", front)}}
	r.run(t, &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: "pod", Cluster: "shop"},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{Clusters: clusters, Listeners: []*listenerv3.Listener{{
			Name: "out", Address: socketAddress("127.0.0.1", front), FilterChains: []*listenerv3.FilterChain{chain("out", []*listenerv3.Filter{filter})},
		}}},
	})
	for _, b := range []*backend{one, two} {
		write(b)
		for _, path := range []string{"/own", "/other"} {
			eventually(t, path+" leads to "+b.name, func() bool { return r.ask(t, "GET", path) == "200 "+b.name })
		}
	}
}

func ofPath(kind model.ValueMatch, value string) model.RequestMatch {
	return model.RequestMatch{Path: &model.PathMatch{Type: kind, Value: value}}
}
