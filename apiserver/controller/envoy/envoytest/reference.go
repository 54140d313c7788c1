// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoytest

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Reference names a resource that another one has Envoy ask for.
type Reference struct{ TypeURL, Name string }

// References gives what Envoy asks for over ADS because of a message, in no order:
// endpoints of a cluster, routes, filters and secrets. It gives each once.
func References(m proto.Message) ([]Reference, error) {
	found := map[Reference]bool{}
	if err := collect(m.ProtoReflect(), found); err != nil {
		return nil, err
	}
	var out []Reference
	for r := range found {
		out = append(out, r)
	}
	return out, nil
}

func collect(m protoreflect.Message, found map[Reference]bool) error {
	switch m := m.Interface().(type) {
	case *anypb.Any:
		inner, err := m.UnmarshalNew()
		if err != nil {
			return err
		}
		return collect(inner.ProtoReflect(), found)
	case *clusterv3.Cluster:
		if m.GetType() == clusterv3.Cluster_EDS {
			found[referenceTo(&endpointv3.ClusterLoadAssignment{}, m.GetName())] = true
		}
	case *managerv3.Rds:
		found[referenceTo(&routev3.RouteConfiguration{}, m.GetRouteConfigName())] = true
	case *listenerv3.Filter:
		if m.GetConfigDiscovery() != nil {
			found[referenceTo(&corev3.TypedExtensionConfig{}, m.GetName())] = true
		}
	case *tlsv3.SdsSecretConfig:
		if m.GetSdsConfig().GetAds() != nil {
			found[referenceTo(&tlsv3.Secret{}, m.GetName())] = true
		}
	}
	var err error
	EachMessage(m, func(child protoreflect.Message) {
		if e := collect(child, found); e != nil && err == nil {
			err = e
		}
	})
	return err
}

func referenceTo(m proto.Message, name string) Reference {
	return Reference{"type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()), name}
}
