// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// bypass are the capabilities with which a container can undo or step around
// the redirection: NET_ADMIN edits it, NET_RAW sends below it, the others lead
// to all the rest.
var bypass = []corev1.Capability{"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE", "ALL"}

// refuse tells why this pod cannot be in the mesh.
func refuse(pod *corev1.Pod, namespace Namespace, settings Settings) error {
	optOut := fmt.Sprintf("or label the pod %s=%s", model.InjectLabel, model.InjectDisabled)
	switch {
	case !settings.PodIdentity:
		return fmt.Errorf("this cluster does not serve PodCertificateRequest in certificates.k8s.io/v1, by which a meshed pod gets its identity: use Kubernetes 1.37 or later, %s", optOut)
	case pod.Spec.HostNetwork:
		return fmt.Errorf("hostNetwork: a pod on the node's network cannot be in the mesh: remove hostNetwork, or the pod's label %s", model.InjectLabel)
	case pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows:
		return fmt.Errorf("os.name: a Windows pod cannot be in the mesh: label the pod %s=%s", model.InjectLabel, model.InjectDisabled)
	}
	if level := namespace.Labels[podSecurityLabel]; level == "baseline" || level == "restricted" {
		return fmt.Errorf("namespace %s enforces PodSecurity %q, which forbids NET_ADMIN, and %s needs it to redirect the pod's traffic: label the namespace %s=privileged, %s",
			namespace.Name, level, model.InitContainer, podSecurityLabel, optOut)
	}
	if !namespace.privileged() {
		if err := refusePrivileged(pod); err != nil {
			return fmt.Errorf("%w: remove it, have an administrator label the namespace %s=%s, %s", err, model.PrivilegedLabel, privilegedAllowed, optOut)
		}
	}
	for _, c := range others(&pod.Spec) {
		if why := asProxy(pod, c); why != "" && !namespace.privileged() {
			return fmt.Errorf("container %s runs as %s, have an administrator label the namespace %s=%s, %s",
				c.Name, why, model.PrivilegedLabel, privilegedAllowed, optOut)
		}
		for _, port := range c.Ports {
			if ofProxy(port.ContainerPort) && (port.Protocol == corev1.ProtocolTCP || port.Protocol == "") {
				return fmt.Errorf("container %s declares port %d, which the mesh's proxy listens on: choose another port, %s", c.Name, port.ContainerPort, optOut)
			}
		}
		if err := refuseHooks(pod, c); err != nil {
			return err
		}
	}
	return nil
}

// refusePrivileged tells what would let an app step around its proxy, or read
// the proxy's key: within one process namespace, a root process may become the
// proxy's user and look into /proc/<envoy>/root.
func refusePrivileged(pod *corev1.Pod) error {
	switch {
	case pod.Spec.HostPID:
		return fmt.Errorf("hostPID lets the pod's containers read the proxy's key")
	case pod.Spec.ShareProcessNamespace != nil && *pod.Spec.ShareProcessNamespace:
		return fmt.Errorf("shareProcessNamespace lets the pod's containers read the proxy's key")
	}
	for _, c := range others(&pod.Spec) {
		security := c.SecurityContext
		if security == nil {
			continue
		}
		if security.Privileged != nil && *security.Privileged {
			return fmt.Errorf("container %s is privileged and can step around the mesh", c.Name)
		}
		if security.Capabilities == nil {
			continue
		}
		for _, capability := range security.Capabilities.Add {
			if slices.Contains(bypass, canonical(capability)) {
				return fmt.Errorf("container %s adds capability %s and can step around the mesh", c.Name, capability)
			}
		}
	}
	return nil
}

// refuseReserved finds what belongs to the mesh where the mesh did not put it.
func refuseReserved(pod *corev1.Pod) error {
	for i := range pod.Spec.Containers {
		if name := pod.Spec.Containers[i].Name; ourContainer(name) {
			return fmt.Errorf("container %s: the name belongs to the mesh: choose another", name)
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if ourVolume(volume.Name) || volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.PodCertificate != nil && source.PodCertificate.SignerName == model.Signer {
				return fmt.Errorf("volume %s asks for a certificate of signer %s, which the mesh gives to its proxies alone: remove it", volume.Name, model.Signer)
			}
		}
	}
	for _, c := range others(&pod.Spec) {
		for _, mount := range c.VolumeMounts {
			if ourVolume(mount.Name) {
				return fmt.Errorf("container %s mounts volume %s, which belongs to the mesh: remove the mount", c.Name, mount.Name)
			}
		}
	}
	return nil
}

// ofProxy tells whether the proxy listens on a port.
func ofProxy(port int32) bool {
	return slices.ContainsFunc(model.ProxyPorts, func(p uint16) bool { return int32(p) == port })
}

// canonical spells a capability as runtimes read it: they ignore case, and
// some take the kernel's prefix.
func canonical(c corev1.Capability) corev1.Capability {
	return corev1.Capability(strings.TrimPrefix(strings.ToUpper(string(c)), "CAP_"))
}
