// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import "github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"

// Service makes what callers need to reach one Service by its addresses, but for
// its endpoints: for each address and port an unbound listener, and for each port
// a cluster, and routes (HTTP) or a tcp_proxy (TCP).
func Service(s model.Service) ([]Resource, error) {
	var out collector
	for _, p := range s.Ports {
		out.add(serviceCluster(s.Key, p))
		if p.Protocol.MayBeHTTP() {
			out.addAll(portRoutes(s.Key, p))
		}
		if !p.Protocol.IsHTTP() {
			out.addAll(portConnections(s.Key, p))
		}
		out.addAll(serviceListeners(s, p))
	}
	return out.result("service " + s.Key.String())
}

// ServiceEndpoints makes what stands behind a Service's ports. It is made apart,
// since it changes most often by far, and changes nothing else.
func ServiceEndpoints(s model.Service) ([]Resource, error) {
	var out collector
	for _, p := range s.Ports {
		out.add(serviceEndpoints(s.Key, p))
	}
	return out.result("endpoints of service " + s.Key.String())
}
