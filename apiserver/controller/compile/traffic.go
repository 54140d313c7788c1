// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// axis is a setting of traffic that annotations override. It has two values, of
// which one is strict and one loose.
type axis struct {
	// annotation is for a Namespace or pod, ports for ports of a pod, and, where
	// metadata.NamespaceTrafficAnnotations has it, for those of a Namespace's pods.
	annotation, ports string
	strict, loose     string
	// name is that of MeshConfig.spec.traffic.podsMayLoosen.
	name string
}

var (
	axisMTLS = axis{
		annotation: metadata.MTLSAnnotation, ports: metadata.MTLSPortsAnnotation,
		strict: "Strict", loose: "Permissive", name: "mtls",
	}
	axisAccess = axis{
		annotation: metadata.AccessAnnotation, ports: metadata.AccessPortsAnnotation,
		strict: string(model.AccessDefaultDeny), loose: string(model.AccessOpen), name: "access",
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
	// say nothing themselves, but at the ports that the Namespace names.
	namespace      bool
	namespacePorts map[uint16]bool
	// mayLoosen lets the pods' own annotations be looser than that.
	mayLoosen bool
	pod       map[string]string
}

func newSetting(w world.Reader, a axis, view *world.View) setting {
	settings := w.Settings()
	out := setting{axis: a, namespace: settings.Permissive(), mayLoosen: settings.PodsMayLoosenMTLS(), pod: view.Traffic}
	if a.name == axisAccess.name {
		out.namespace, out.mayLoosen = !settings.DefaultDeny(), settings.PodsMayLoosenAccess()
	}
	annotations := w.NamespaceTraffic(view.Namespace)
	if value, ok := annotations[a.annotation]; ok {
		out.namespace, _ = a.read(value)
	}
	if value, ok := annotations[a.ports]; ok {
		ports, readable := a.readPorts(value)
		out.namespace, out.namespacePorts = out.namespace && readable, ports
	}
	return out
}

// inherited is whether a port is loose of whose pods nothing is said by themselves.
func (s setting) inherited(port uint16) bool {
	if loose, ok := s.namespacePorts[port]; ok {
		return loose
	}
	return s.namespace
}

// may tells whether an annotation of the pod may say so of a port that has
// inherited what it has.
func (s setting) may(loose, inherited bool) bool { return !loose || inherited || s.mayLoosen }

// at tells whether a port is loose, and whether an annotation of the pod names the
// port itself: a pod's annotations > its Namespace's > the mesh, and of one object
// the port's entry > the rest. So a pod that says Strict stays so at every port.
func (s setting) at(port uint16) (loose, named bool) {
	inherited := s.inherited(port)
	loose = inherited
	if value, ok := s.pod[s.axis.annotation]; ok {
		if here, _ := s.axis.read(value); s.may(here, inherited) {
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
	if here, ok := ports[port]; ok && s.may(here, inherited) {
		return here, true
	}
	return loose, false
}

// named are the ports that an annotation of the pod or its Namespace names.
func (s setting) named() map[uint16]bool {
	named := map[uint16]bool{}
	maps.Copy(named, s.namespacePorts)
	if value, ok := s.pod[s.axis.ports]; ok {
		ports, _ := s.axis.readPorts(value)
		maps.Copy(named, ports)
	}
	return named
}

// ReasonTrafficAnnotation is the reason of notices about metadata that do not act as they are
// written.
const ReasonTrafficAnnotation = "TrafficAnnotation"

// WorkloadProblems says what in the annotations of a view's pods does not act as
// it is written, one sentence each.
func WorkloadProblems(w world.Reader, view *world.View) []string {
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
		if !s.may(loose, s.namespace) {
			found = append(found, a.refused(a.annotation))
		}
	}
	value, ok := s.pod[a.ports]
	if !ok {
		return found
	}
	found = append(found, a.portProblems(value)...)
	ports, _ := a.readPorts(value)
	for port, loose := range ports {
		if !s.may(loose, s.inherited(port)) {
			return append(found, a.refused(a.ports))
		}
	}
	return found
}

// portProblems says what in a list of ports counts as the strictest.
func (a axis) portProblems(value string) []string {
	if _, readable := a.readPorts(value); !readable {
		return []string{fmt.Sprintf(`annotation %s: %q is not a list such as "9090=%s"; every port counts as %s`, a.ports, value, a.loose, a.strict)}
	}
	var found []string
	for entry := range strings.SplitSeq(value, ",") {
		_, mode, _ := strings.Cut(entry, "=")
		if _, parsed := a.read(strings.TrimSpace(mode)); !parsed {
			found = append(found, a.unknown(a.ports, strings.TrimSpace(entry)))
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
func NamespaceProblems(w world.Reader, namespace string) []string {
	var found []string
	annotations := w.NamespaceTraffic(namespace)
	for _, a := range []axis{axisMTLS, axisAccess} {
		if value, ok := annotations[a.annotation]; ok {
			if _, parsed := a.read(value); !parsed {
				found = append(found, a.unknown(a.annotation, value))
			}
		}
		if value, ok := annotations[a.ports]; ok {
			found = append(found, a.portProblems(value)...)
		}
	}
	return append(found, w.NamespaceUnknown(namespace)...)
}
