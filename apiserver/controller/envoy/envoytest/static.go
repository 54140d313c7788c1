// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoytest

import (
	"fmt"
	"maps"
	"slices"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

// Static gives a bootstrap in JSON that holds the resources where static
// configuration has their like, for `envoy --mode validate`, which asks no
// control plane. The resources are by a name that tells them apart, which
// listeners and secrets then have, and listeners as their address, so that
// several versions of one can be there; clusters keep their own. bootstrap is YAML.
func Static(bootstrap []byte, resources map[string]*anypb.Any) ([]byte, error) {
	asJSON, err := yaml.YAMLToJSON(bootstrap)
	if err != nil {
		return nil, err
	}
	config := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(asJSON, config); err != nil {
		return nil, fmt.Errorf("read bootstrap: %w", err)
	}
	if config.StaticResources == nil {
		config.StaticResources = &bootstrapv3.Bootstrap_StaticResources{}
	}
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		if err := embed(config.StaticResources, name, resources[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return protojson.Marshal(config)
}

func embed(static *bootstrapv3.Bootstrap_StaticResources, name string, body *anypb.Any) error {
	m, err := body.UnmarshalNew()
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *listenerv3.Listener:
		m.Name, m.Address, m.AdditionalAddresses = name, pipe(name), nil
		static.Listeners = append(static.Listeners, m)
	case *clusterv3.Cluster:
		static.Clusters = append(static.Clusters, afterADS(m))
	case *tlsv3.Secret:
		m.Name = name
		static.Secrets = append(static.Secrets, m)
	case *endpointv3.ClusterLoadAssignment:
		static.Clusters = append(static.Clusters, &clusterv3.Cluster{
			Name:                 "static/" + name,
			ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
			LoadAssignment:       m,
		})
	case *routev3.RouteConfiguration:
		return serve(static, name, m)
	case *corev3.TypedExtensionConfig:
		filters := []*listenerv3.Filter{{Name: m.Name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: m.TypedConfig}}}
		if !m.TypedConfig.MessageIs(&tcpproxyv3.TcpProxy{}) {
			end, err := filter("tcp", &tcpproxyv3.TcpProxy{StatPrefix: "static", ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: "nowhere"}})
			if err != nil {
				return err
			}
			filters = append(filters, end)
		}
		static.Listeners = append(static.Listeners, listening(name, filters...))
	default:
		return fmt.Errorf("do not know where %T goes", m)
	}
	return nil
}

// serve gives routes a connection manager that has the filters they speak of.
func serve(static *bootstrapv3.Bootstrap_StaticResources, name string, routes *routev3.RouteConfiguration) error {
	manager := &hcmv3.HttpConnectionManager{StatPrefix: "static", RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}}
	for _, of := range slices.Sorted(maps.Keys(routes.TypedPerFilterConfig)) {
		if config := routes.TypedPerFilterConfig[of]; !config.MessageIs(&httprbacv3.RBACPerRoute{}) {
			return fmt.Errorf("do not know the filter of %s", config.TypeUrl)
		}
		if err := addHTTPFilter(manager, of, &httprbacv3.RBAC{Rules: &rbacv3.RBAC{}}); err != nil {
			return err
		}
	}
	if err := addHTTPFilter(manager, "router", &routerv3.Router{}); err != nil {
		return err
	}
	end, err := filter("http", manager)
	if err != nil {
		return err
	}
	static.Listeners = append(static.Listeners, listening(name, end))
	return nil
}

func addHTTPFilter(manager *hcmv3.HttpConnectionManager, name string, config proto.Message) error {
	packed, err := anypb.New(config)
	if err != nil {
		return err
	}
	manager.HttpFilters = append(manager.HttpFilters, &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed}})
	return nil
}

func filter(name string, config proto.Message) (*listenerv3.Filter, error) {
	packed, err := anypb.New(config)
	if err != nil {
		return nil, err
	}
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed}}, nil
}

// afterADS makes a cluster with TLS one of those that static configuration
// brings up after ADS, from which its roots come: Envoy dies of a static
// ORIGINAL_DST cluster that needs ADS. Delivered by CDS it comes after ADS anyway.
func afterADS(c *clusterv3.Cluster) *clusterv3.Cluster {
	if c.GetType() == clusterv3.Cluster_ORIGINAL_DST && c.TransportSocket != nil {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
			ResourceApiVersion:    corev3.ApiVersion_V3,
		}}
		c.LbPolicy = clusterv3.Cluster_ROUND_ROBIN
	}
	return c
}

func listening(name string, filters ...*listenerv3.Filter) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:         "static/" + name,
		Address:      pipe(name),
		FilterChains: []*listenerv3.FilterChain{{Filters: filters}},
	}
}

func pipe(name string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "@" + name}}}
}
