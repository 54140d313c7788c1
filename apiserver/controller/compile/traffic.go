// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// axis is a setting of traffic that annotations override. It has two values, of
// which one is strict and one loose.
type axis struct {
	// annotation is for a Namespace or pod, ports for ports of a pod.
	annotation, ports string
	strict, loose     string
	// name is that of MeshConfig.spec.traffic.podsMayLoosen.
	name v1alpha1.TrafficAxis
}

var (
	axisMTLS = axis{
		annotation: model.MTLSAnnotation, ports: model.MTLSPortsAnnotation,
		strict: string(v1alpha1.MTLSStrict), loose: string(v1alpha1.MTLSPermissive), name: v1alpha1.TrafficAxisMTLS,
	}
	axisAccess = axis{
		annotation: model.AccessAnnotation, ports: model.AccessPortsAnnotation,
		strict: string(v1alpha1.AccessDefaultDeny), loose: string(v1alpha1.AccessOpen), name: v1alpha1.TrafficAxisAccess,
	}
)

// read gives whether a value is the loose one. What does not parse is strict.
func (a axis) read(value string) (loose, parsed bool) {
	return value == a.loose, value == a.loose || value == a.strict
}

// readPorts reads "9090=Permissive,9091=Strict". readable is false if an entry
// names no port: it may have meant any. A port that is named twice is loose
// only if it is so each time.
func (a axis) readPorts(value string) (loose map[uint16]bool, readable bool) {
	loose = map[uint16]bool{}
	for entry := range strings.SplitSeq(value, ",") {
		port, mode, found := strings.Cut(strings.TrimSpace(entry), "=")
		number, err := strconv.ParseUint(strings.TrimSpace(port), 10, 16)
		if !found || err != nil || number == 0 {
			return nil, false
		}
		here, _ := a.read(strings.TrimSpace(mode))
		before, twice := loose[uint16(number)]
		loose[uint16(number)] = here && (before || !twice)
	}
	return loose, true
}

// setting is what holds of one axis for the pods of a view.
type setting struct {
	axis axis
	// namespace is whether mesh and Namespace make it loose: what pods have that
	// say nothing themselves.
	namespace bool
	// mayLoosen lets the pods' own annotations be looser than that.
	mayLoosen bool
	pod       map[string]string
}

func newSetting(w *world.World, a axis, view *world.View) setting {
	settings := w.Settings()
	out := setting{axis: a, namespace: settings.Permissive, mayLoosen: settings.PodsMayLoosenMTLS, pod: view.Traffic}
	if a.name == v1alpha1.TrafficAxisAccess {
		out.namespace, out.mayLoosen = !settings.DefaultDeny, settings.PodsMayLoosenAccess
	}
	if value, ok := w.NamespaceTraffic(view.Namespace)[a.annotation]; ok {
		out.namespace, _ = a.read(value)
	}
	return out
}

// may tells whether an annotation of the pod may say so.
func (s setting) may(loose bool) bool { return !loose || s.namespace || s.mayLoosen }

// at tells whether a port is loose, and whether an annotation names the port
// itself: port > workload > namespace > mesh.
func (s setting) at(port uint16) (loose, named bool) {
	loose = s.namespace
	if value, ok := s.pod[s.axis.annotation]; ok {
		if here, _ := s.axis.read(value); s.may(here) {
			loose = here
		}
	}
	value, ok := s.pod[s.axis.ports]
	if !ok {
		return loose, false
	}
	ports, readable := s.axis.readPorts(value)
	if !readable {
		return false, false
	}
	if here, ok := ports[port]; ok && s.may(here) {
		return here, true
	}
	return loose, false
}

// named are the ports that an annotation names.
func (s setting) named() map[uint16]bool {
	value, ok := s.pod[s.axis.ports]
	if !ok {
		return nil
	}
	ports, _ := s.axis.readPorts(value)
	return ports
}

// WorkloadProblems says what in the annotations of a view's pods does not act as
// it is written, one sentence each.
func WorkloadProblems(w *world.World, view *world.View) []string {
	var found []string
	for _, a := range []axis{axisMTLS, axisAccess} {
		s := newSetting(w, a, view)
		found = append(found, s.problems()...)
	}
	return found
}

func (s setting) problems() []string {
	var found []string
	a := s.axis
	if value, ok := s.pod[a.annotation]; ok {
		loose, parsed := a.read(value)
		if !parsed {
			found = append(found, a.unknown(a.annotation, value))
		}
		if !s.may(loose) {
			found = append(found, a.refused(a.annotation))
		}
	}
	value, ok := s.pod[a.ports]
	if !ok {
		return found
	}
	ports, readable := a.readPorts(value)
	if !readable {
		return append(found, fmt.Sprintf(`annotation %s: %q is not a list such as "9090=%s"; every port counts as %s`, a.ports, value, a.loose, a.strict))
	}
	for entry := range strings.SplitSeq(value, ",") {
		_, mode, _ := strings.Cut(entry, "=")
		if _, parsed := a.read(strings.TrimSpace(mode)); !parsed {
			found = append(found, a.unknown(a.ports, strings.TrimSpace(entry)))
		}
	}
	for _, loose := range ports {
		if !s.may(loose) {
			return append(found, a.refused(a.ports))
		}
	}
	return found
}

func (a axis) unknown(annotation, value string) string {
	return fmt.Sprintf("annotation %s: %q is neither %s nor %s; it counts as %s", annotation, value, a.strict, a.loose, a.strict)
}

func (a axis) refused(annotation string) string {
	return fmt.Sprintf("annotation %s: %s is less strict than the namespace, and MeshConfig.spec.traffic.podsMayLoosen does not name %s; it is not applied",
		annotation, a.loose, a.name)
}

// NamespaceProblems is WorkloadProblems for the annotations of a Namespace.
func NamespaceProblems(w *world.World, namespace string) []string {
	var found []string
	annotations := w.NamespaceTraffic(namespace)
	for _, a := range []axis{axisMTLS, axisAccess} {
		if value, ok := annotations[a.annotation]; ok {
			if _, parsed := a.read(value); !parsed {
				found = append(found, a.unknown(a.annotation, value))
			}
		}
		if _, ok := annotations[a.ports]; ok {
			found = append(found, fmt.Sprintf("annotation %s: only pods have ports; it says nothing on a Namespace", a.ports))
		}
	}
	return append(found, w.NamespaceUnknown(namespace)...)
}
