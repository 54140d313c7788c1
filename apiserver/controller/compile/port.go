// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// declared is what Services say of one port of a workload.
type declared struct {
	protocol    model.Protocol
	serverFirst bool
}

// with adds what another Service says. An application that one of them calls
// HTTP is served as requests, and one that several call differently by the
// newest HTTP: gRPC's servers and HTTP/2's cannot be called by HTTP/1.1, while
// those that speak both can be called by either.
func (d declared) with(port *corev1.ServicePort) declared {
	p := protocol(port)
	if httpRank(p) > httpRank(d.protocol) {
		d.protocol = p
	}
	d.serverFirst = d.serverFirst || serverFirst(port)
	return d
}

func httpRank(p model.Protocol) int {
	switch p {
	case model.ProtocolGRPC:
		return 4
	case model.ProtocolHTTP2:
		return 3
	case model.ProtocolHTTP1:
		return 2
	case model.ProtocolDetect:
		return 1
	default:
		return 0
	}
}

// appProtocolServerFirst is the appProtocol of any protocol in which the server
// speaks first and that has no name here.
const appProtocolServerFirst = "mesh.openservicemesh.io/server-first"

// serverFirstProtocols are the names, as in protocols, of those in which the
// server speaks first.
var serverFirstProtocols = map[string]bool{
	"ftp": true, "imap": true, "mysql": true, "nntp": true, "pop3": true, "smtp": true, "ssh": true,
	appProtocolServerFirst: true,
}

func serverFirst(port *corev1.ServicePort) bool {
	if port.AppProtocol != nil {
		return serverFirstProtocols[strings.ToLower(*port.AppProtocol)]
	}
	name, _, _ := strings.Cut(port.Name, "-")
	return serverFirstProtocols[name]
}

// portCompiler makes the inbound ports of one view.
type portCompiler struct {
	world        world.Reader
	view         *world.View
	mtls, access setting
	policies     []applied
}

func newPortCompiler(w world.Reader, view *world.View, policies []applied) portCompiler {
	return portCompiler{w, view, newSetting(w, axisMTLS, view), newSetting(w, axisAccess, view), policies}
}

func (c portCompiler) port(number uint16, d declared) model.InboundPort {
	permissive, named := c.mtls.at(number)
	open, _ := c.access.at(number)
	out := model.InboundPort{
		Number:      number,
		Protocol:    cmp.Or(d.protocol, model.ProtocolTCP),
		Permissive:  permissive,
		ServerFirst: permissive && named && d.serverFirst && !d.protocol.IsHTTP(),
		Access:      access(c.view, number, !open, c.policies),
	}
	switch {
	case open == c.access.namespace:
	case open:
		out.PodAccess = model.AccessOpen
	default:
		out.PodAccess = model.AccessDefaultDeny
	}
	return out
}
