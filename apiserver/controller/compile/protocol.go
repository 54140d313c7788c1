// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// protocols are the names that appProtocol and the prefix of a port's name can
// have for what the mesh tells requests of. With the prefix kubernetes.io/ they
// are KEP-3726's. All else is a stream of bytes, TLS that the application makes
// itself (https, wss) included.
var protocols = map[string]model.Protocol{
	"http":              model.ProtocolHTTP1,
	"http2":             model.ProtocolHTTP2,
	"h2c":               model.ProtocolHTTP2,
	"grpc":              model.ProtocolGRPC,
	"kubernetes.io/h2c": model.ProtocolHTTP2,
	"kubernetes.io/ws":  model.ProtocolHTTP1,
}

// protocol is what is spoken on a Service's port: its appProtocol, else the
// part of its name before the first "-", else TCP. A name that begins with
// grpc-web is HTTP/1.1, which browsers speak.
func protocol(port *corev1.ServicePort) model.Protocol {
	if port.AppProtocol != nil {
		return protocolNamed(strings.ToLower(*port.AppProtocol))
	}
	if port.Name == "grpc-web" || strings.HasPrefix(port.Name, "grpc-web-") {
		return model.ProtocolHTTP1
	}
	prefix, _, _ := strings.Cut(port.Name, "-")
	return protocolNamed(prefix)
}

func protocolNamed(name string) model.Protocol {
	if name == "grpc-web" {
		return model.ProtocolHTTP1
	}
	if p, ok := protocols[name]; ok {
		return p
	}
	return model.ProtocolTCP
}

// carriesTCP tells whether a Service's port is one that proxies carry.
func carriesTCP(port *corev1.ServicePort) bool {
	return port.Protocol == corev1.ProtocolTCP || port.Protocol == ""
}
