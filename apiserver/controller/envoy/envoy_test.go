//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoyAcceptsWhatItIsTold gives each golden and each feature to the real
// Envoy, in static form.
func TestEnvoyAcceptsWhatItIsTold(t *testing.T) {
	binary := envoytest.Binary(t)
	for name, in := range readInputs(t) {
		for i, one := range in.proxies() {
			t.Run(fmt.Sprint(name, " ", i), func(t *testing.T) {
				t.Parallel()
				one.acceptedBy(t, binary)
			})
		}
	}
}

// proxies divides an input among as many as it has workloads, since a proxy has
// one. The first has all else as well.
func (in input) proxies() []input {
	if len(in.Workloads) < 2 {
		return []input{in}
	}
	first := in
	first.Workloads = in.Workloads[:1]
	all := []input{first}
	for i := range in.Workloads[1:] {
		all = append(all, input{Mesh: in.Mesh, Workloads: in.Workloads[i+1 : i+2]})
	}
	return all
}

func (in input) acceptedBy(t *testing.T, binary string) {
	t.Helper()
	pod := newTestPod(t)
	params := testPod()
	if in.Bootstrap != nil {
		params = *in.Bootstrap
	}
	config, err := bootstrapConfig(params)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range in.resources(t, pod.Roots) {
		// Two views may have a resource of one name.
		embed(t, config.StaticResources, strings.TrimSuffix(r.Name+"@"+r.View, "@"), r)
	}
	b, err := messageYAML(config)
	if err != nil {
		t.Fatal(err)
	}
	pod.Accepts(t, binary, b)
}

func newTestPod(t *testing.T) envoytest.Pod {
	files := testFiles(t)
	return envoytest.NewPod(t, files.Identity, files.ControlPlaneRoots, files.RefusalBudget)
}

func messageYAML(m proto.Message) ([]byte, error) {
	body, err := messageJSON(m)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(body)
}

// embed puts a resource, by this name, where static configuration has its like.
func embed(t *testing.T, static *bootstrapv3.Bootstrap_StaticResources, name string, r Resource) {
	t.Helper()
	m, err := r.Body.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	switch m := m.(type) {
	case *listenerv3.Listener:
		static.Listeners = append(static.Listeners, m)
	case *clusterv3.Cluster:
		static.Clusters = append(static.Clusters, afterADS(m))
	case *tlsv3.Secret:
		static.Secrets = append(static.Secrets, m)
	case *endpointv3.ClusterLoadAssignment:
		c := cluster("static/" + name)
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
		c.LoadAssignment = m
		static.Clusters = append(static.Clusters, c)
	case *routev3.RouteConfiguration:
		manager := inboundManager(model.Mesh{}, name, name)
		manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: m}
		static.Listeners = append(static.Listeners, listening(name, networkFilter(filters.Manager, manager)))
	case *corev3.TypedExtensionConfig:
		chain := []*listenerv3.Filter{{Name: m.Name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: m.TypedConfig}}}
		if !m.TypedConfig.MessageIs(&tcpproxyv3.TcpProxy{}) {
			chain = append(chain, networkFilter(filters.TCPProxy, inboundTCP(0, name)))
		}
		static.Listeners = append(static.Listeners, listening(name, chain...))
	default:
		t.Fatalf("do not know where %T goes", m)
	}
}

// afterADS makes a cluster with TLS one of those that static configuration
// brings up after ADS, from which its roots come: Envoy dies of a static
// ORIGINAL_DST cluster that needs ADS. Delivered by CDS it comes after ADS anyway.
func afterADS(c *clusterv3.Cluster) *clusterv3.Cluster {
	if c.GetType() == clusterv3.Cluster_ORIGINAL_DST && c.TransportSocket != nil {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: fromADS()}
		c.LbPolicy = clusterv3.Cluster_ROUND_ROBIN
	}
	return c
}

func listening(name string, filters ...*listenerv3.Filter) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:         "static/" + name,
		Address:      pipeAddress("@" + name),
		FilterChains: []*listenerv3.FilterChain{{Filters: filters}},
	}
}
