// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Reasons of notices about Services.
const (
	ReasonAddressTaken    = "AddressTaken"
	ReasonUnknownProtocol = "UnknownProtocol"
	ReasonEndpointTaken   = "EndpointTaken"
	ReasonTrafficIgnored  = "TrafficPolicyIgnored"
	ReasonProxyPort       = "ProxyPort"
)

// Notice is something that the author of an object must see, where the object
// has no status of ours.
type Notice struct {
	// Reason is CamelCase, Message sentences without a full stop.
	Reason, Message string
}

// ServiceNotices gives what there is to say of a Service, in a fixed order and
// once for each reason: Events of one object that differ in their note alone are
// taken for repetitions (KEP-383).
func ServiceNotices(w world.Reader, key world.Key) []Notice {
	service := w.Service(key)
	if service == nil {
		return nil
	}
	var out []Notice
	for _, address := range world.Addresses(service) {
		switch owner := w.Owner(address); owner {
		case key:
		case world.Key{}:
			out = append(out, Notice{ReasonAddressTaken, fmt.Sprintf("%s is the address of a pod; calls to it are not calls to this Service", address)})
		default:
			out = append(out, Notice{ReasonAddressTaken, fmt.Sprintf("%s belongs to %s; calls to it do not come here", address, another(key, owner))})
		}
	}
	for _, port := range tcpPorts(service) {
		if port.AppProtocol != nil && !known(*port.AppProtocol) {
			out = append(out, Notice{ReasonUnknownProtocol, fmt.Sprintf("port %d: appProtocol %q is not known; the port is TCP", port.Port, *port.AppProtocol)})
		}
	}
	out = append(out, endpointNotices(w, service)...)
	out = append(out, outsideNotices(w, service)...)
	out = append(out, proxyPorts(w, service)...)
	return joined(append(out, ignored(service)...))
}

// ignored says what kube-proxy does for a Service and the mesh does not: its
// callers would not notice otherwise that their calls leave the node, or go to
// another pod than the one before. What is only a preference, as
// trafficDistribution is, or is about callers from outside the cluster, is not
// told.
func ignored(service *corev1.Service) []Notice {
	if len(world.Addresses(service)) == 0 || len(tcpPorts(service)) == 0 {
		return nil
	}
	var out []Notice
	if policy := service.Spec.InternalTrafficPolicy; policy != nil && *policy == corev1.ServiceInternalTrafficPolicyLocal {
		out = append(out, Notice{ReasonTrafficIgnored, "internalTrafficPolicy Local: callers in the mesh are sent to endpoints on all nodes"})
	}
	if service.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		out = append(out, Notice{ReasonTrafficIgnored, "sessionAffinity ClientIP: calls of one caller in the mesh go to several endpoints"})
	}
	return out
}

// proxyPorts says which ports lead to one of the proxy in pods of the mesh, where no
// application can listen. The port of the proxy's own statistics is for callers
// outside the mesh, who reach it.
func proxyPorts(w world.Reader, service *corev1.Service) []Notice {
	var out []Notice
	for _, port := range tcpPorts(service) {
		for _, c := range candidatesAt(w, service, port, isProxyPort) {
			if c.standing == meshed {
				out = append(out, Notice{ReasonProxyPort, fmt.Sprintf("port %d: targetPort %d is the proxy's own in pods of the mesh, which refuse it; choose another", port.Port, c.port)})
				break
			}
		}
	}
	return out
}

func isProxyPort(port uint16) bool {
	return port != sidecar.PortPrometheus && slices.Contains(sidecar.ProxyPorts, port)
}

// joined makes one notice of those with the same reason, which are neighbours.
func joined(notices []Notice) []Notice {
	var out []Notice
	for _, n := range notices {
		if last := len(out) - 1; last >= 0 && out[last].Reason == n.Reason {
			out[last].Message += "; " + n.Message
			continue
		}
		out = append(out, n)
	}
	return out
}

// another names a Service to the owner of a second one; those of other
// namespaces may not be his to know.
func another(own, other world.Key) string {
	if own.Namespace == other.Namespace {
		return "the Service " + other.Name
	}
	return "a Service of another namespace"
}

func known(appProtocol string) bool {
	_, ok := protocols[strings.ToLower(appProtocol)]
	return ok
}

// endpointNotices says, once a port, that a headless Service shares endpoints
// with an older one, whose protocol counts.
func endpointNotices(w world.Reader, service *corev1.Service) []Notice {
	if !world.Headless(service) {
		return nil
	}
	var out []Notice
	own := world.Key{Namespace: service.Namespace, Name: service.Name}
	mine := claimsOf(w, own).own
	for _, port := range tcpPorts(service) {
		for _, other := range olderAt(w, own, mine) {
			if shareEndpoints(mine, uint16(port.Port), claimsOf(w, other).own) {
				out = append(out, Notice{ReasonEndpointTaken, fmt.Sprintf("port %d has endpoints that belong to %s, which is older: its protocol counts", port.Port, another(own, other))})
				break
			}
		}
	}
	return out
}

// olderAt gives the headless Services of a namespace that are older than one and have
// some of its addresses, the oldest first.
func olderAt(w world.Reader, own world.Key, mine []claim) []world.Key {
	found := map[world.Key]struct{}{}
	for _, c := range mine {
		for _, other := range w.ServicesAt(c.at.Addr()) {
			if other.Namespace == own.Namespace && other != own {
				found[other] = struct{}{}
			}
		}
	}
	return w.HeadlessOlderThan(own, slices.Collect(maps.Keys(found)))
}

// shareEndpoints tells whether an endpoint of a port is one of another Service too, at
// a port of another protocol.
func shareEndpoints(mine []claim, number uint16, others []claim) bool {
	protocols := map[netip.AddrPort]model.Protocol{}
	for _, c := range mine {
		if c.service.Number == number {
			protocols[c.at] = c.service.Protocol
		}
	}
	return slices.ContainsFunc(others, func(c claim) bool {
		protocol, shared := protocols[c.at]
		return shared && protocol != c.service.Protocol
	})
}
