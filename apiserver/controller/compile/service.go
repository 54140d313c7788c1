// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Service gives how callers reach a Service by its addresses; false if it has
// none that it owns, or is not there.
func Service(w world.Reader, key world.Key) (model.Service, bool) {
	found := services.Of(w, key)
	return found.Service, found.there
}

// Front gives all of a Service but its endpoints; false if Service does. Where its
// endpoints alone are others, it is the same: to make clusters, routes and listeners anew
// is a quarter of what an endpoint's change costs the server before it is sent to a proxy.
func Front(w world.Reader, key world.Key) (ServiceFront, bool) {
	found := fronts.Of(w, key)
	return found.ServiceFront, found.there
}

// ServiceFront is a Service without its endpoints.
type ServiceFront struct {
	model.Service
	// View is that of the proxies that see it.
	View string
	// Problems say what of the Routes of its calls does not act as it is written.
	Problems []RouteProblem
}

type front struct {
	ServiceFront
	there bool
}

var services = world.NewDerived(4, func(w world.Reader, key world.Key) front {
	service, out, ok := facade(w, key)
	if !ok {
		return front{}
	}
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		if carriesTCP(port) {
			out.Ports = append(out.Ports, servicePort(w, service, port))
		}
	}
	sortPorts(out.Ports)
	routed := routings.Of(w, key)
	for i := range out.Ports {
		out.Ports[i].Routes = routed.of[out.Ports[i].Number]
	}
	return front{ServiceFront{Service: out, Problems: routed.problems}, true}
}, nil)

// routing is what the Routes of a Service's calls come to, by its ports.
type routing struct {
	of       map[uint16][]model.Routes
	problems []RouteProblem
}

// routings are made by themselves: endpoints come and go more often than Routes, of which
// a Service may have thousands.
var routings = world.NewDerived(3, func(w world.Reader, key world.Key) routing {
	routes, service := w.RoutesOf(key), w.Service(key)
	if len(routes) == 0 || service == nil {
		return routing{}
	}
	look, out := RouteLookupOf(w), routing{of: map[uint16][]model.Routes{}}
	for _, port := range tcpPorts(service) {
		number := uint16(port.Port)
		found := Routes(RoutedPort{Service: key, Number: number, Protocol: calledProtocol(service, port)}, routes, look)
		out.of[number] = found.Routes
		out.problems = append(out.problems, found.Problems...)
	}
	return out
}, func(a, b routing) bool { return reflect.DeepEqual(a, b) })

var fronts = world.NewDerived(5, func(w world.Reader, key world.Key) front {
	found := services.Of(w, key)
	found.Service = found.WithoutEndpoints()
	found.View = w.NamespaceView(key.Namespace)
	return found
}, func(a, b front) bool { return reflect.DeepEqual(a, b) })

// RefusingService is the same Service with nothing behind it. It stands in for
// one whose endpoints cannot be compiled, so that its addresses are not taken
// for addresses that no Service names.
func RefusingService(w world.Reader, key world.Key) (model.Service, bool) {
	service, out, ok := facade(w, key)
	if !ok {
		return model.Service{}, false
	}
	for i := range service.Spec.Ports {
		if port := &service.Spec.Ports[i]; carriesTCP(port) {
			out.Ports = append(out.Ports, model.ServicePort{Number: uint16(port.Port), Protocol: model.ProtocolTCP})
		}
	}
	sortPorts(out.Ports)
	return out, true
}

// facade is a Service without its ports.
func facade(w world.Reader, key world.Key) (*corev1.Service, model.Service, bool) {
	service := w.Service(key)
	if service == nil {
		return nil, model.Service{}, false
	}
	out := model.Service{Key: model.ServiceKey(key), Addresses: owned(w, key)}
	return service, out, len(out.Addresses) > 0
}

// owned gives the addresses that a Service claims and has.
func owned(w world.Reader, key world.Key) []netip.Addr {
	return slices.DeleteFunc(world.Addresses(w.Service(key)), func(a netip.Addr) bool { return w.Owner(a) != key })
}

func servicePort(w world.Reader, service *corev1.Service, port *corev1.ServicePort) model.ServicePort {
	out := model.ServicePort{Number: uint16(port.Port), Protocol: calledProtocol(service, port), Opaque: opaque(service)}
	behind(w, service, port, &out)
	return out
}

// calledProtocol is what callers take a port for. What they detect means nothing to
// pods that do not know of it.
func calledProtocol(service *corev1.Service, port *corev1.ServicePort) model.Protocol {
	if p := protocol(port); p != model.ProtocolDetect || !opaque(service) {
		return p
	}
	return model.ProtocolTCP
}

func sortPorts(ports []model.ServicePort) {
	slices.SortFunc(ports, func(a, b model.ServicePort) int { return cmp.Compare(a.Number, b.Number) })
}
