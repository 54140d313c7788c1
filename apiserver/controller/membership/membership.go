// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package membership says which pods belong to the mesh: Selected is the rule
// by labels, which counts when a pod begins, HasProxy what a pod then carries,
// for as long as it lives. Both are pure.
package membership

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// excluded are the namespaces that a cluster needs to come up. No label brings
// their pods into the mesh.
var excluded = []string{"kube-system", "kube-public", "kube-node-lease"}

// Selected tells whether the mesh takes a new pod with these labels: its own
// label wins over that of its namespace, and the system namespace stays out as
// the cluster's own do. It is the rule that the selectors of
// artifacts/deploy/webhook.yaml write for the API server; a test holds the two
// together.
func Selected(namespace corev1.Namespace, podLabels map[string]string, systemNamespace string) bool {
	if namespace.Name == systemNamespace || slices.Contains(excluded, namespace.Name) {
		return false
	}
	switch podLabels[metadata.InjectLabel] {
	case metadata.InjectEnabled:
		return true
	case metadata.InjectDisabled:
		return false
	}
	return namespace.Labels[metadata.InjectLabel] == metadata.InjectEnabled
}

// HasProxy tells whether a pod carries our sidecar: the proxy as a native
// sidecar, and the volume with a certificate of our signer. Only pods on a
// network of their own can, since capture works in the pod's namespace. Labels
// do not matter: a pod keeps its proxy when they change.
func HasProxy(pod *corev1.Pod) bool {
	return !pod.Spec.HostNetwork &&
		slices.ContainsFunc(pod.Spec.InitContainers, isProxy) &&
		slices.ContainsFunc(pod.Spec.Volumes, isIdentity)
}

// HasStarted tells whether a container of the pod has ever been started. The
// kubelet starts none before every volume is there, so a pod with HasProxy that
// has started has had a certificate.
func HasStarted(pod *corev1.Pod) bool {
	started := func(s corev1.ContainerStatus) bool { return s.ContainerID != "" }
	return slices.ContainsFunc(pod.Status.InitContainerStatuses, started) ||
		slices.ContainsFunc(pod.Status.ContainerStatuses, started)
}

func isProxy(c corev1.Container) bool {
	return c.Name == sidecar.ProxyContainer && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func isIdentity(v corev1.Volume) bool {
	return v.Name == sidecar.VolumeIdentity && v.Projected != nil &&
		slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool {
			return s.PodCertificate != nil && s.PodCertificate.SignerName == sidecar.Signer
		})
}
