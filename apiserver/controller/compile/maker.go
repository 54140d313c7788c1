// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Reasons of notices about the makers of pods.
const (
	ReasonNotInMesh       = "NotInMesh"
	ReasonHostPortRefuses = "HostPortRefuses"
)

// maxHostPorts bounds those that one notice names.
const maxHostPorts = 5

// MakerNotices gives what there is to say of the pods of a maker: whoever wrote a
// controller hears no warning of an admission webhook.
func MakerNotices(w *world.World, maker world.Maker) []Notice {
	var out []Notice
	var strict []world.HostPort
	for _, pod := range w.PodsOf(maker) {
		if pod.LeftOut && len(out) == 0 && w.InMesh(maker.Key.Namespace) {
			out = append(out, Notice{ReasonNotInMesh, fmt.Sprintf(
				"the pods are not in the mesh, since they use the node's network; if this is meant, label their template %s=%s", model.InjectLabel, model.InjectDisabled)})
		}
		strict = append(strict, strictHostPorts(w, pod)...)
	}
	slices.SortFunc(strict, func(a, b world.HostPort) int { return int(a.Node) - int(b.Node) })
	strict = slices.Compact(strict)
	for _, port := range strict[:min(len(strict), maxHostPorts)] {
		out = append(out, Notice{ReasonHostPortRefuses, fmt.Sprintf(
			"hostPort %d: its callers come in plaintext, which port %d refuses; let them in by the annotation %s: \"%d=Permissive\"",
			port.Node, port.Container, model.MTLSPortsAnnotation, port.Container)})
	}
	if more := len(strict) - maxHostPorts; more > 0 {
		out = append(out, Notice{ReasonHostPortRefuses, fmt.Sprintf("%d more ports of the node are refused as well", more)})
	}
	return joined(out)
}

// strictHostPorts are those of a pod that take mutual TLS alone.
func strictHostPorts(w *world.World, pod *world.Pod) []world.HostPort {
	view := w.View(pod.View)
	if view == nil {
		return nil
	}
	mtls := newSetting(w, axisMTLS, view)
	return slices.DeleteFunc(slices.Clone(pod.HostPorts), func(port world.HostPort) bool {
		permissive, _ := mtls.at(port.Container)
		return permissive
	})
}
