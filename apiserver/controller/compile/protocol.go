// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// protocols are the names that appProtocol and the prefix of a port's name can
// have. With the prefix kubernetes.io/ they are KEP-3726's; the others are
// IANA's service names, and those that people use in their place. TLS that the
// application makes itself (https, wss) is a stream of bytes to the mesh.
var protocols = map[string]model.Protocol{
	"http":              model.ProtocolHTTP1,
	"http2":             model.ProtocolHTTP2,
	"h2c":               model.ProtocolHTTP2,
	"grpc":              model.ProtocolGRPC,
	"grpc-web":          model.ProtocolHTTP1,
	"kubernetes.io/h2c": model.ProtocolHTTP2,
	"kubernetes.io/ws":  model.ProtocolHTTP1,
	"kubernetes.io/wss": model.ProtocolTCP,

	"tcp":        model.ProtocolTCP,
	"tls":        model.ProtocolTCP,
	"https":      model.ProtocolTCP,
	"mongo":      model.ProtocolTCP,
	"mongodb":    model.ProtocolTCP,
	"mysql":      model.ProtocolTCP,
	"postgres":   model.ProtocolTCP,
	"postgresql": model.ProtocolTCP,
	"redis":      model.ProtocolTCP,
	"kafka":      model.ProtocolTCP,
	"amqp":       model.ProtocolTCP,
	"smtp":       model.ProtocolTCP,
	"ldap":       model.ProtocolTCP,
	"ssh":        model.ProtocolTCP,
	"ftp":        model.ProtocolTCP,
	"imap":       model.ProtocolTCP,
	"nntp":       model.ProtocolTCP,
	"pop3":       model.ProtocolTCP,

	appProtocolServerFirst: model.ProtocolTCP,
}

// protocol is what is spoken on a Service's port: its appProtocol, else the
// part of its name before the first "-"; else it has to be detected, unless its
// number is that of a protocol that is not HTTP. An appProtocol that is not known
// is TCP, since its author has said that it is something else.
func protocol(port *corev1.ServicePort) model.Protocol {
	if port.AppProtocol != nil {
		if p, ok := protocols[strings.ToLower(*port.AppProtocol)]; ok {
			return p
		}
		return model.ProtocolTCP
	}
	if p, ok := protocolOfName(port.Name); ok {
		return p
	}
	if wellKnownTCP(uint16(port.Port)) || wellKnownTCP(uint16(port.TargetPort.IntVal)) {
		return model.ProtocolTCP
	}
	return model.ProtocolDetect
}

// protocolOfName reads a port's name, such as "grpc" or "http-admin".
func protocolOfName(name string) (model.Protocol, bool) {
	if name == "grpc-web" || strings.HasPrefix(name, "grpc-web-") {
		return model.ProtocolHTTP1, true
	}
	prefix, _, _ := strings.Cut(name, "-")
	p, ok := protocols[prefix]
	return p, ok
}

// headlessProtocol is the protocol of a port at which nothing can be detected: the
// endpoints of a headless Service share a listener with all other addresses.
func headlessProtocol(port *corev1.ServicePort) model.Protocol {
	if p := protocol(port); p != model.ProtocolDetect {
		return p
	}
	return model.ProtocolTCP
}

// opaque tells whether pods that are behind a Service know nothing of it: what
// a workload serves as requests is said by the Services that select it.
func opaque(service *corev1.Service) bool { return len(service.Spec.Selector) == 0 }

// carriesTCP tells whether a Service's port is one that proxies carry.
func carriesTCP(port *corev1.ServicePort) bool {
	return port.Protocol == corev1.ProtocolTCP || port.Protocol == ""
}
