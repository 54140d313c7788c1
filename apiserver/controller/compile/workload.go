// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// everyOther is the port number that stands for all ports without an entry.
const everyOther uint16 = 0

// maxPorts is how many ports a workload may have entries for. Each costs its
// proxies filter chains and resources, and each is compared with every rule, so
// that policies of one namespace could hold up all others.
const maxPorts = 512

// maxRuleBytes bounds what the rules of a workload take at all its ports
// together, about as a proxy is sent them. Each of its proxies keeps them some
// times over, and every edit sends them again.
const maxRuleBytes = 8 << 20

// Workload gives the inbound side of a view, and what reports say of it; false if the
// view has no pod. One with more than maxPorts ports or maxRuleBytes of rules admits
// nobody.
func Workload(w world.Reader, name string) (model.Workload, *Facts, bool) {
	view := w.View(name)
	if view == nil {
		return model.Workload{}, nil, false
	}
	all := policiesOn(w, view)
	policies, ports := withinBounds(w, view, all)
	out := workload(w, view, policies, ports)
	return out, newFacts(w, view, all, out), true
}

func workload(w world.Reader, view *world.View, policies []applied, ports map[uint16]declared) model.Workload {
	if tooLarge(ports, policies) {
		return closedWorkload(view)
	}
	out := model.Workload{View: view.Name, Family: family(view), Namespace: view.Namespace, CertificateLifetime: view.CertificateLifetime}
	compiler := newPortCompiler(w, view, policies)
	for _, number := range slices.Sorted(maps.Keys(ports)) {
		if number != everyOther {
			out.Ports = append(out.Ports, compiler.port(number, ports[number]))
		}
	}
	out.Ports = append(out.Ports, compiler.port(everyOther, declared{}))
	return out
}

// withinBounds gives the policies of a workload with its ports, without those in
// audit where it would be too large with them: audit changes no verdict.
func withinBounds(w world.Reader, view *world.View, policies []applied) ([]applied, map[uint16]declared) {
	ports := portsOf(w, view, policies)
	if tooLarge(ports, policies) {
		policies = slices.DeleteFunc(slices.Clone(policies), applied.audits)
		ports = portsOf(w, view, policies)
	}
	return policies, ports
}

// ClosedWorkload admits nobody anywhere. It stands in for a workload that
// cannot be compiled.
func ClosedWorkload(w world.Reader, name string) (model.Workload, bool) {
	view := w.View(name)
	if view == nil {
		return model.Workload{}, false
	}
	return closedWorkload(view), true
}

func closedWorkload(view *world.View) model.Workload {
	closed := model.InboundPort{Number: everyOther, Protocol: model.ProtocolTCP, Access: model.Access{Closed: true, ClosedBy: []string{"not-compiled"}}}
	return model.Workload{View: view.Name, Family: family(view), Namespace: view.Namespace, Ports: []model.InboundPort{closed}}
}

// family is empty for a view that is its own.
func family(view *world.View) string {
	if view.Family == view.Name {
		return ""
	}
	return view.Family
}

// applied is a policy with what it has as its target in one view.
type applied struct {
	policy *intent.Access
	scope  scope
	*compiledPolicy
}

func policiesOn(w world.Reader, view *world.View) []applied {
	var found []applied
	for _, policy := range w.PoliciesOn(view, w.ServicesSelecting(view)) {
		if scope := scopeOf(w, policy, view); !scope.empty() {
			found = append(found, applied{policy, scope, compiledOf(w, policy)})
		}
	}
	return found
}

// portsOf gives the ports that need an entry of their own, and what Services
// declare for them: those that the pod declares, those at which a Service dials
// it, and those that an annotation or a policy names.
func portsOf(w world.Reader, view *world.View, policies []applied) map[uint16]declared {
	ports := map[uint16]declared{}
	for _, p := range view.Ports {
		ports[p.Number] = declared{}
	}
	for _, a := range []axis{axisMTLS, axisAccess} {
		for number := range newSetting(w, a, view).named() {
			ports[number] = declared{}
		}
	}
	for _, service := range w.ServicesSelecting(view) {
		for i := range service.Spec.Ports {
			port := &service.Spec.Ports[i]
			if number, ok := targetPort(view, port); ok {
				ports[number] = ports[number].with(port)
			}
		}
	}
	for _, p := range policies {
		for _, number := range p.numbers() {
			if _, ok := ports[number]; !ok {
				ports[number] = declared{}
			}
		}
	}
	return ports
}

// audits tells whether a policy reports only.
func (p applied) audits() bool { return p.policy.Audit }

func tooLarge(ports map[uint16]declared, policies []applied) bool {
	return len(ports) > maxPorts || rulesSize(ports, policies) > maxRuleBytes
}

// rulesSize is about how many bytes of rules a workload has at all its ports.
func rulesSize(ports map[uint16]declared, policies []applied) int {
	size := 0
	for _, p := range policies {
		size += p.bytes * p.portsIn(ports)
	}
	return size
}

// portsIn counts the ports with an entry that a policy has as its target.
func (p applied) portsIn(ports map[uint16]declared) int {
	if !p.scope.every {
		return len(p.scope.ports)
	}
	// The entry for every other port counts too.
	return len(ports) + 1
}

// numbers are the ports in scope that the rules of a policy name by number.
func (p applied) numbers() []uint16 {
	var numbers []uint16
	for _, r := range p.rules {
		for _, to := range r.to {
			for _, port := range to.Ports {
				if port.Type == intstr.Int && p.scope.has(uint16(port.IntVal)) {
					numbers = append(numbers, uint16(port.IntVal))
				}
			}
		}
	}
	return numbers
}
