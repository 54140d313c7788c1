// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// scope is the part of a workload that a policy has as its target.
type scope struct {
	// every port, those that nothing names included.
	every bool
	// ports, unless every.
	ports map[uint16]struct{}
}

func (s scope) empty() bool { return !s.every && len(s.ports) == 0 }

// has tells whether a port is in scope; 0 stands for all ports without a name.
func (s scope) has(port uint16) bool {
	if s.every {
		return true
	}
	_, ok := s.ports[port]
	return ok
}

// scopeOf gives what a policy has as its target in a view that it speaks to. A
// Service that is not there, or selects nothing, names nothing.
func scopeOf(w world.Reader, policy *intent.Access, view *world.View) scope {
	if len(policy.Targets) > 0 {
		return scope{ports: servicesScope(w, policy, view)}
	}
	return scope{every: policy.Selector == nil || policy.Selector.Matches(labels.Set(view.Labels))}
}

func servicesScope(w world.Reader, policy *intent.Access, view *world.View) map[uint16]struct{} {
	ports := map[uint16]struct{}{}
	for _, reference := range policy.Targets {
		service := target(w, reference)
		if service == nil || !world.Selects(service, view) {
			continue
		}
		for i := range service.Spec.Ports {
			if number, ok := targetPort(view, &service.Spec.Ports[i]); ok {
				ports[number] = struct{}{}
			}
		}
	}
	return ports
}

// target gives the Service that a target of a policy is, or nil.
func target(w world.Reader, reference intent.Reference) *corev1.Service {
	if reference.Kind != intent.KindService {
		return nil
	}
	return w.Service(reference.Key)
}

// targetPort resolves the target port of a Service's TCP port in a view; false
// if the view has no port of that name.
func targetPort(view *world.View, port *corev1.ServicePort) (uint16, bool) {
	if !carriesTCP(port) {
		return 0, false
	}
	if port.TargetPort == (intstr.IntOrString{}) {
		return uint16(port.Port), true
	}
	return containerPort(view, port.TargetPort)
}

// containerPort resolves a port that is given by number or by name.
func containerPort(view *world.View, port intstr.IntOrString) (uint16, bool) {
	if port.Type == intstr.Int {
		return uint16(port.IntVal), port.IntVal > 0 && port.IntVal < 1<<16
	}
	for _, p := range view.Ports {
		if p.Name == port.StrVal && p.Name != "" {
			return p.Number, true
		}
	}
	return 0, false
}
