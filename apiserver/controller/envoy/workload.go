// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Workload makes what the proxies of one view have for themselves: the inbound
// listener, and for each port its HTTP routes and access (RDS), its TCP access
// (ECDS) and whom its handshake accepts (SDS).
//
// roots are the workload roots in PEM. chains are the view's generations, by
// NextGenerations; nil stands for those of a workload seen for the first time.
func Workload(m model.Mesh, w model.Workload, roots []byte, chains Generations) ([]Resource, error) {
	if len(roots) == 0 {
		return nil, fmt.Errorf("workload %s: %w", w.View, errNoRoots)
	}
	if chains == nil {
		chains = NextGenerations(nil, w)
	}
	w.Ports = slices.DeleteFunc(slices.Clone(w.Ports), isProxyPort)
	var out collector
	for _, p := range w.Ports {
		if err := checkAccess(p.Access); err != nil {
			return nil, fmt.Errorf("workload %s, port %d: %w", w.View, p.Number, err)
		}
		out.addAll(inboundAccess(m, w, p, roots))
	}
	out.add(Encode(ListenerInbound, w.View, inboundListener(m, w, chains)))
	return out.result("workload " + w.View)
}

func isProxyPort(p model.InboundPort) bool { return slices.Contains(sidecar.ProxyPorts, p.Number) }

var errNoRoots = errors.New("no workload roots")

func inboundAccess(m model.Mesh, w model.Workload, p model.InboundPort, roots []byte) ([]Resource, error) {
	var out collector
	name, prefix := inboundName(w, p), inboundStatPrefix(p)
	out.add(networkDeny(name+filters.DenyConnections, w.View, prefix, m, p.Access))
	out.add(networkAllow(name+filters.AllowConnections, w.View, prefix, m, p.Access))
	out.add(inboundValidation(m, w, p, roots))
	if p.Protocol.MayBeHTTP() {
		out.add(inboundRoutes(m, w, p))
	}
	return out.resources, out.err
}
