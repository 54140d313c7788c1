// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Reasons of notices about connections that proxies did not carry.
const (
	ReasonClosedBeforeDetection = "ClosedBeforeDetection"
	ReasonNotHTTP               = "NotHTTP"
)

// PortNotice is what the author of a Service must see of one of its ports.
type PortNotice struct {
	Service world.Key
	Port    int32
	Notice
}

// Reporter reads what the proxies of a view report. A proxy's word is taken only
// about what it may speak of: its caller's side of a Service that its namespace
// sees, and its own ports; and only where the port's declaration makes the mishap
// possible. No word of the proxy's is repeated.
type Reporter struct {
	world world.Reader
	view  *world.View
	mtls  setting
	// hidden are the namespaces that it does not see, own the Services that select
	// its pods.
	hidden []string
	own    []*corev1.Service
}

// NewReporter is for the view of that name, false if there is none.
func NewReporter(w world.Reader, name string) (Reporter, bool) {
	view := w.View(name)
	if view == nil {
		return Reporter{}, false
	}
	return Reporter{w, view, newSetting(w, axisMTLS, view), w.Hidden(view.Namespace), w.ServicesSelecting(view)}, true
}

// Notices gives what there is to tell of a mishap.
func (r Reporter) Notices(m model.Mishap) []PortNotice {
	if m.Service == (model.ServiceKey{}) {
		return r.asCallee(m)
	}
	return r.asCaller(m)
}

func (r Reporter) asCaller(m model.Mishap) []PortNotice {
	key := world.Key{Namespace: m.Service.Namespace, Name: m.Service.Name}
	service := r.world.Service(key)
	if service == nil || slices.Contains(r.hidden, key.Namespace) {
		return nil
	}
	for _, port := range tcpPorts(service) {
		if uint16(port.Port) != m.Port {
			continue
		}
		if notice, ok := callerNotice(service, port, r.view.Namespace, m.Kind); ok {
			return []PortNotice{{key, port.Port, notice}}
		}
	}
	return nil
}

// callerNotice is about a Service's port that a proxy of a namespace called.
func callerNotice(service *corev1.Service, port *corev1.ServicePort, from string, kind model.MishapKind) (Notice, bool) {
	spoken := protocol(port)
	switch {
	case kind == model.MishapUndetected && spoken == model.ProtocolDetect && !world.Headless(service):
		return Notice{ReasonClosedBeforeDetection, fmt.Sprintf(
			"port %d declares no protocol, and clients closed connections before it was known, as proxies of namespace %s report: "+
				"what they had sent, if anything, was dropped. Declare appProtocol (tcp, http or another), or name the port so", port.Port, from)}, true
	case kind == model.MishapNotHTTP && spoken.IsHTTP():
		return Notice{ReasonNotHTTP, fmt.Sprintf(
			"port %d is declared as HTTP, and clients sent it something else, such as TLS, as proxies of namespace %s report: "+
				"those connections were ended. If the application makes TLS itself, declare appProtocol https, else tcp", port.Port, from)}, true
	default:
		return Notice{}, false
	}
}

// asCallee is about the Services by which the pods of the view are called.
func (r Reporter) asCallee(m model.Mishap) []PortNotice {
	if permissive, _ := r.mtls.at(m.Port); !permissive {
		return nil
	}
	var out []PortNotice
	for _, service := range r.own {
		for _, port := range tcpPorts(service) {
			if number, ok := targetPort(r.view, port); !ok || number != m.Port {
				continue
			}
			if notice, ok := calleeNotice(port, m.Kind); ok {
				out = append(out, PortNotice{world.Key{Namespace: service.Namespace, Name: service.Name}, port.Port, notice})
			}
		}
	}
	return out
}

func calleeNotice(port *corev1.ServicePort, kind model.MishapKind) (Notice, bool) {
	switch {
	case kind == model.MishapUndetected:
		return Notice{ReasonClosedBeforeDetection, fmt.Sprintf(
			"port %d takes plaintext (mtls Permissive), and clients closed connections before the pod's proxy knew whether they are mutual TLS: "+
				"what they had sent, if anything, was dropped. Where no caller is in the mesh, declare appProtocol %s and name the port in %s",
			port.Port, appProtocolServerFirst, axisMTLS.ports)}, true
	case protocol(port).IsHTTP():
		return Notice{ReasonNotHTTP, fmt.Sprintf(
			"port %d is declared as HTTP, and clients outside the mesh sent it TLS, which the pod's proxy refused. "+
				"If the application makes TLS itself, declare appProtocol https", port.Port)}, true
	default:
		return Notice{}, false
	}
}
