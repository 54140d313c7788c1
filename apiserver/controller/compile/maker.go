// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// ReasonNotInMesh is the reason of a notice about pods that cannot be in the mesh.
const ReasonNotInMesh = "NotInMesh"

// MakerNotices gives what there is to say of the pods of a maker: whoever wrote a
// controller hears no warning of an admission webhook.
func MakerNotices(w world.Reader, maker world.Maker) []Notice {
	var out []Notice
	found := newRefusals(w, maker.Key.Namespace)
	for _, pod := range w.PodsOf(maker) {
		if pod.LeftOut && len(out) == 0 && w.InMesh(maker.Key.Namespace) {
			out = append(out, Notice{ReasonNotInMesh, fmt.Sprintf(
				"the pods are not in the mesh, since they use the node's network; if this is meant, label their template %s=%s", metadata.InjectLabel, metadata.InjectDisabled)})
		}
		found.addHostPorts(w, pod)
	}
	return append(out, found.notices()...)
}

// addHostPorts adds the clients of the node's ports that lead to a pod's Strict ports.
func (r *refusals) addHostPorts(w world.Reader, pod *world.Pod) {
	view := w.View(pod.View)
	if view == nil {
		return
	}
	mtls := newSetting(w, axisMTLS, view)
	for _, port := range pod.HostPorts {
		if mtls.refuses(port.Container) {
			r.add(port.Container, fmt.Sprintf("clients of hostPort %d", port.Node), mtls.kept(port.Container))
		}
	}
}
