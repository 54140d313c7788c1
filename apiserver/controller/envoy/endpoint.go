// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// serviceEndpoints is the EDS resource of a Service's port. A meshed endpoint
// without a known identity behind the port is left out: nobody could say
// whether the right pod answered.
func serviceEndpoints(s model.ServiceKey, p model.ServicePort) (Resource, error) {
	name := EndpointSetName(s, p.Number)
	assignment := &endpointv3.ClusterLoadAssignment{ClusterName: name}
	var endpoints []*endpointv3.LbEndpoint
	for _, e := range p.Endpoints {
		if e.Plaintext || len(p.Identities) > 0 {
			endpoints = append(endpoints, endpoint(e))
		}
	}
	if len(endpoints) > 0 {
		assignment.Endpoints = []*endpointv3.LocalityLbEndpoints{{LbEndpoints: endpoints}}
	}
	return Encode(name, "", assignment)
}

func endpoint(e model.Endpoint) *endpointv3.LbEndpoint {
	lb := &endpointv3.LbEndpoint{
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: socketAddress(e.Address.String(), e.Port),
		}},
	}
	if e.Plaintext {
		lb.Metadata = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{metadataSocket: plaintext()}}
	}
	return lb
}
