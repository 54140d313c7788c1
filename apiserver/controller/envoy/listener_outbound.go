// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// outboundListener takes every connection that the pod opens and hands it to
// the unbound listener of its original destination. What none of them owns
// stays here: calls to the addresses of meshed pods and of headless Services'
// endpoints go to those, all else is passed through or refused.
func outboundListener(egress model.EgressMode, groups []model.DirectGroup) *listenerv3.Listener {
	l := captureListener(ListenerOutbound, sidecar.PortOutbound)
	l.TrafficDirection = corev3.TrafficDirection_OUTBOUND
	l.ListenerFilters = listenerFilters(filters.OutboundListener)
	l.UseOriginalDst = yes()
	l.FilterChains = chainsOf(groups)
	l.FilterChainMatcher = refusingProxyPorts(byAddress(groups))
	l.DefaultFilterChain = unknownDestination(egress)
	return l
}

// unknownDestination is the default chain for an address that nothing names;
// nil refuses.
func unknownDestination(egress model.EgressMode) *listenerv3.FilterChain {
	if egress != model.EgressPassthrough {
		return nil
	}
	return directChain(ClusterPassthrough, ClusterPassthrough)
}

// captureListener listens in both families on a port to which the pod's
// connections are redirected.
func captureListener(name string, port uint16) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          name,
		Address:                       socketAddress("0.0.0.0", port),
		AdditionalAddresses:           []*listenerv3.AdditionalAddress{{Address: socketAddress("::", port)}},
		PerConnectionBufferLimitBytes: u32(bufferLimit),
	}
}

// refuseProxyPorts are chains without filters: such a connection is closed. It
// would be answered by a proxy that it was not meant for.
func refuseProxyPorts() []*listenerv3.FilterChain {
	var chains []*listenerv3.FilterChain
	for _, port := range sidecar.ProxyPorts {
		chains = append(chains, &listenerv3.FilterChain{
			Name:             "refuse/" + strconv.Itoa(int(port)),
			FilterChainMatch: &listenerv3.FilterChainMatch{DestinationPort: u32(uint32(port))},
		})
	}
	return chains
}

// serviceListeners are the unbound listeners of a Service's port, one for each
// address. They hold nothing that changes while the address and the protocol
// stay: routes come by RDS, a tcp_proxy by ECDS.
func serviceListeners(s model.Service, p model.ServicePort) ([]Resource, error) {
	var out []Resource
	for _, ip := range s.Addresses {
		name := ServiceListenerName(ip, p.Number)
		l := &listenerv3.Listener{
			Name:                          name,
			StatPrefix:                    ServicePortName(s.Key, p.Number),
			Address:                       socketAddress(ip.String(), p.Number),
			BindToPort:                    no(),
			TrafficDirection:              corev3.TrafficDirection_OUTBOUND,
			Metadata:                      serviceMetadata(s.Key, p.Number),
			PerConnectionBufferLimitBytes: u32(bufferLimit),
			FilterChains:                  []*listenerv3.FilterChain{serviceChain(name, ServicePortName(s.Key, p.Number), p.Protocol)},
		}
		if p.Protocol == model.ProtocolDetect {
			detect(l, ServicePortName(s.Key, p.Number))
		}
		r, err := Encode(name, "", l)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// serviceChain carries requests by the routes, or connections by the tcp_proxy, of
// that name.
func serviceChain(name, to string, p model.Protocol) *listenerv3.FilterChain {
	if p.IsHTTP() {
		return chain(name, chainFilters(filters.OutboundHTTP, "", outboundManager(to)))
	}
	return chain(name, chainFilters(filters.OutboundTCP, to))
}

// directChain carries connections to a cluster.
func directChain(name, cluster string) *listenerv3.FilterChain {
	return chain(name, chainFilters(filters.OutboundDirect, "", tcpProxy(name, cluster)))
}

func chain(name string, filters []*listenerv3.Filter) *listenerv3.FilterChain {
	return &listenerv3.FilterChain{Name: name, Filters: filters}
}
