//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
)

// TestEnvoyTriesAgainWhatWasSurelyNotServedAndNothingElse: of two endpoints one
// refuses connections, and the other answers, by 503 what is called /fails.
func TestEnvoyTriesAgainWhatWasSurelyNotServedAndNothingElse(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	app := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}
	go server.Serve(app)
	t.Cleanup(func() { server.Close() })

	const name = "out/shop/web:80"
	resource, err := routesTo(name)
	if err != nil {
		t.Fatal(err)
	}
	routes := &routev3.RouteConfiguration{}
	if err := resource.Body.UnmarshalTo(routes); err != nil {
		t.Fatal(err)
	}
	manager := outboundManager(name)
	manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
	to := staticCluster(name, socketAddress("127.0.0.1", portOf(app)))
	to.TypedExtensionProtocolOptions = protocolOptions("http1")
	to.LoadAssignment.Endpoints[0].LbEndpoints = append(to.LoadAssignment.Endpoints[0].LbEndpoints, &endpointv3.LbEndpoint{
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socketAddress("127.0.0.1", envoytest.FreePort(t))}},
	})
	front := envoytest.FreePort(t)
	e := inboundEnvoy{output: &output{}, web: fmt.Sprintf("http://127.0.0.1:%d", front)}
	e.run(t, &bootstrapv3.Bootstrap{StaticResources: &bootstrapv3.Bootstrap_StaticResources{
		Clusters: []*clusterv3.Cluster{to},
		Listeners: []*listenerv3.Listener{{
			Name: "web", Address: socketAddress("127.0.0.1", front),
			FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{networkFilter(filters.Manager, manager)}}},
		}},
	}})

	const requests = 20
	for path, want := range map[string]int{"/": http.StatusOK, "/fails": http.StatusServiceUnavailable} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			served.Store(0)
			for range requests {
				request, err := http.NewRequest(method, e.web+path, strings.NewReader("book"))
				if err != nil {
					t.Fatal(err)
				}
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if answer.StatusCode != want {
					t.Errorf("%s %s: got %s, want %d", method, path, answer.Status, want)
				}
			}
			if n := served.Load(); n != requests {
				t.Errorf("%s %s: the application served %d requests, want %d", method, path, n, requests)
			}
		}
	}
}
