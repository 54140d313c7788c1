// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// bypass are the capabilities with which a container can undo or step around
// the redirection: NET_ADMIN edits it, NET_RAW sends below it, the others lead
// to all the rest.
var bypass = []corev1.Capability{"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE", "ALL"}

// refuse tells why this pod cannot be in the mesh: every reason, the whole pod's first.
func refuse(pod *corev1.Pod, namespace Namespace, settings Settings) reasons {
	var found reasons
	if !settings.PodIdentity {
		found.add("this cluster does not serve PodCertificateRequest in certificates.k8s.io/v1, by which a meshed pod gets its identity",
			"use Kubernetes 1.37 or later", optOut)
	}
	if pod.Spec.HostNetwork {
		found.add("hostNetwork: a pod on the node's network cannot be in the mesh", "remove hostNetwork, or the pod's label "+metadata.InjectLabel)
	}
	if field := notLinux(pod); field != "" {
		found.add(field+": a Windows pod cannot be in the mesh", optOut)
	}
	if level := namespace.Labels[podSecurityLabel]; level == "baseline" || level == "restricted" {
		found.add(fmt.Sprintf("namespace %s enforces PodSecurity %q, which forbids NET_ADMIN, and %s needs it to redirect the pod's traffic",
			namespace.Name, level, sidecar.InitContainer), "label the namespace "+podSecurityLabel+"=privileged", optOut)
	}
	if !namespace.privileged() {
		found = append(found, refusePrivileged(pod)...)
	}
	// Looked at once: whoever reaches the webhook chooses how many groups and
	// containers there are.
	whoAll, remedyOfAll := allAsProxy(pod)
	for _, c := range others(&pod.Spec) {
		who, remedy := asProxy(pod, c.Container)
		if who == "" {
			who, remedy = whoAll, remedyOfAll
		}
		if who != "" && !namespace.privileged() {
			found.add(c.title+" runs as "+who, remedy, askAdministrator, optOut)
		}
		for _, port := range c.Ports {
			if ofProxy(port.ContainerPort) && (port.Protocol == corev1.ProtocolTCP || port.Protocol == "") {
				found.add(fmt.Sprintf("%s declares port %d, which the mesh's proxy listens on", c.title, port.ContainerPort), "choose another port", optOut)
			}
		}
		found = append(found, refuseHooks(pod, c)...)
	}
	return found
}

const askAdministrator = "have an administrator label the namespace " + metadata.PrivilegedLabel + "=" + privilegedAllowed

// refusePrivileged tells what would let an app step around its proxy, or read
// the proxy's key: within one process namespace, a root process may become the
// proxy's user and look into /proc/<envoy>/root.
func refusePrivileged(pod *corev1.Pod) reasons {
	var found reasons
	if pod.Spec.HostPID {
		found.add("hostPID lets the pod's containers read the proxy's key", "remove it", askAdministrator, optOut)
	}
	if pod.Spec.ShareProcessNamespace != nil && *pod.Spec.ShareProcessNamespace {
		found.add("shareProcessNamespace lets the pod's containers read the proxy's key",
			"remove it (kubectl debug --copy-to does by --share-processes=false)", askAdministrator, optOut)
	}
	for _, c := range others(&pod.Spec) {
		security := c.SecurityContext
		if security == nil {
			continue
		}
		if security.Privileged != nil && *security.Privileged {
			found.add(c.title+" is privileged and can step around the mesh", "remove it", askAdministrator, optOut)
		}
		if security.Capabilities == nil {
			continue
		}
		for _, capability := range security.Capabilities.Add {
			if slices.Contains(bypass, canonical(capability)) {
				found.add(fmt.Sprintf("%s adds capability %s and can step around the mesh", c.title, capability), "remove it", askAdministrator, optOut)
			}
		}
	}
	return found
}

// refuseReserved finds what belongs to the mesh where the mesh did not put it.
func refuseReserved(pod *corev1.Pod) reasons {
	var found reasons
	for i := range pod.Spec.Containers {
		if name := pod.Spec.Containers[i].Name; ourContainer(name) {
			found.add(fmt.Sprintf("container %s: the name belongs to the mesh", name), "choose another")
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if !ourVolume(volume.Name) && asksForCertificate(volume) {
			found.add(fmt.Sprintf("volume %s asks for a certificate of signer %s, which the mesh gives to its proxies alone", volume.Name, sidecar.Signer), "remove it")
		}
	}
	for _, c := range others(&pod.Spec) {
		for _, mount := range c.VolumeMounts {
			if ourVolume(mount.Name) {
				found.add(fmt.Sprintf("%s mounts volume %s, which belongs to the mesh", c.title, mount.Name), "remove the mount")
			}
		}
	}
	return found
}

// asksForCertificate tells whether the kubelet would ask the mesh's signer for it.
func asksForCertificate(volume corev1.Volume) bool {
	return volume.Projected != nil && slices.ContainsFunc(volume.Projected.Sources, func(source corev1.VolumeProjection) bool {
		return source.PodCertificate != nil && source.PodCertificate.SignerName == sidecar.Signer
	})
}

// ofProxy tells whether the proxy listens on a port.
func ofProxy(port int32) bool {
	return slices.ContainsFunc(sidecar.ProxyPorts, func(p uint16) bool { return int32(p) == port })
}

// canonical spells a capability as runtimes read it: they ignore case, and
// some take the kernel's prefix.
func canonical(c corev1.Capability) corev1.Capability {
	return corev1.Capability(strings.TrimPrefix(strings.ToUpper(string(c)), "CAP_"))
}
