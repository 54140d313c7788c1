// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Headless gives how callers reach a Service without a cluster IP; false if it
// has one, or is not there.
func Headless(w world.Reader, key world.Key) (model.Headless, bool) {
	service := w.Service(key)
	if service == nil || !world.Headless(service) {
		return model.Headless{}, false
	}
	out := model.Headless{Key: model.ServiceKey(key)}
	for _, port := range tcpPorts(service) {
		p := model.HeadlessPort{Number: uint16(port.Port), Protocol: headlessProtocol(port), Opaque: opaque(service)}
		for _, peer := range headlessPeers(w, service, port) {
			p.Peers = append(p.Peers, peer)
		}
		slices.SortFunc(p.Peers, comparePeers)
		p.Peers = slices.Compact(p.Peers)
		out.Ports = append(out.Ports, p)
	}
	return out, true
}

// tcpPorts gives the ports of a Service that proxies carry, sorted by number.
func tcpPorts(service *corev1.Service) []*corev1.ServicePort {
	var ports []*corev1.ServicePort
	for i := range service.Spec.Ports {
		if port := &service.Spec.Ports[i]; carriesTCP(port) {
			ports = append(ports, port)
		}
	}
	slices.SortStableFunc(ports, func(a, b *corev1.ServicePort) int { return cmp.Compare(a.Port, b.Port) })
	return ports
}

// headlessPeers gives who answers at the pods behind a port of a headless
// Service. It asks nobody whether he is ready: the caller has chosen him. A pod
// outside the mesh is nobody where MeshConfig refuses such.
func headlessPeers(w world.Reader, service *corev1.Service, port *corev1.ServicePort) map[netip.AddrPort]model.Peer {
	peers := map[netip.AddrPort]model.Peer{}
	for _, c := range candidates(w, service, port) {
		at := netip.AddrPortFrom(c.address, c.port)
		switch {
		case c.standing == meshed:
			peers[at] = model.Peer{Account: model.Account(c.pod.Account())}
		case c.standing == unmeshed && c.pod != nil && !c.pod.HostNetwork && peers[at].Account == (model.Account{}):
			peers[at] = model.Peer{Plaintext: !w.Settings().RefuseUnmeshed()}
		}
	}
	return peers
}

// foreign gives the addresses behind a port of a headless Service that are no
// pod's own: those of nodes, and those that somebody has written by hand. The
// Service does not own them: otherwise a tenant could lay his protocol, or a
// refusal, on an address that others call. It only says that they may be called,
// as TCP, where MeshConfig lets meshed callers reach what is outside; there is
// nothing to say where they pass anyway.
func foreign(w world.Reader, service *corev1.Service, port *corev1.ServicePort) []netip.AddrPort {
	if settings := w.Settings(); settings.RefuseUnmeshed() || !settings.RefuseEgress() {
		return nil
	}
	var found []netip.AddrPort
	for _, c := range candidates(w, service, port) {
		if c.standing == unmeshed && (c.pod == nil || c.pod.HostNetwork) {
			found = append(found, netip.AddrPortFrom(c.address, c.port))
		}
	}
	return found
}

func comparePeers(a, b model.Peer) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(a.Account.Namespace, b.Account.Namespace),
		cmp.Compare(a.Account.Name, b.Account.Name),
	)
}

// rank puts accounts first, then what is outside the mesh, then nobody.
func rank(p model.Peer) int {
	switch {
	case p.Account != (model.Account{}):
		return 0
	case p.Plaintext:
		return 1
	default:
		return 2
	}
}
