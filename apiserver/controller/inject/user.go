// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// ownUser is the proxy's user in a pod with users of its own (hostUsers false),
// which has those below 65536 alone: the kubelet gives each such pod a range of the
// node's.
const ownUser = int64(sidecar.ProxyGID)

// proxyUser is the user of the pod's proxy: the one that an earlier call has
// chosen, else the one that was drawn.
func proxyUser(spec *corev1.PodSpec, settings Settings) int64 {
	if spec.HostUsers != nil && !*spec.HostUsers {
		return ownUser
	}
	if c := initContainerNamed(spec, sidecar.ProxyContainer); c != nil && c.SecurityContext != nil &&
		c.SecurityContext.RunAsUser != nil && sidecar.IsProxyUID(*c.SecurityContext.RunAsUser) {
		return *c.SecurityContext.RunAsUser
	}
	return sidecar.ProxyUID(settings.Drawn)
}

const uncaptured = "whose traffic the mesh does not capture"

// asProxy says which user or group of proxies a container runs as, and what to change,
// or nothing. The redirection leaves the proxy's group alone; an image may give the
// user of the same number that group (/etc/passwd). A user of the range would take
// inotify instances from the proxy that has it.
func asProxy(pod *corev1.Pod, c *corev1.Container) (who, remedy string) {
	ofPod := cmp.Or(pod.Spec.SecurityContext, &corev1.PodSecurityContext{})
	own := cmp.Or(c.SecurityContext, &corev1.SecurityContext{})
	user, group := cmp.Or(own.RunAsUser, ofPod.RunAsUser), cmp.Or(own.RunAsGroup, ofPod.RunAsGroup)
	switch {
	case user != nil && *user == sidecar.ProxyGID:
		return fmt.Sprintf("uid %d, %s", *user, uncaptured), "choose another runAsUser"
	case user != nil && sidecar.IsProxyUID(*user):
		return fmt.Sprintf("uid %d, which the mesh keeps for its proxies", *user), "choose another runAsUser"
	case group != nil && *group == sidecar.ProxyGID:
		return fmt.Sprintf("gid %d, %s", *group, uncaptured), "choose another runAsGroup"
	}
	return "", ""
}

// allAsProxy is asProxy for what all containers of the pod have.
func allAsProxy(pod *corev1.Pod) (who, remedy string) {
	ofPod := cmp.Or(pod.Spec.SecurityContext, &corev1.PodSecurityContext{})
	switch {
	case slices.Contains(ofPod.SupplementalGroups, sidecar.ProxyGID):
		return fmt.Sprintf("gid %d, %s", sidecar.ProxyGID, uncaptured), "remove it from supplementalGroups"
	case ofPod.FSGroup != nil && *ofPod.FSGroup == sidecar.ProxyGID:
		return fmt.Sprintf("gid %d, %s", sidecar.ProxyGID, uncaptured), "choose another fsGroup"
	}
	return "", ""
}
