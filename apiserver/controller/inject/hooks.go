// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// refuseHooks finds the lifecycle hooks that the kubelet would call in vain,
// being outside the mesh. They are not turned to the proxy as probes are: that
// port answers everybody, and what a hook does is not for everybody to do.
func refuseHooks(pod *corev1.Pod, c member) reasons {
	var found reasons
	if c.Lifecycle == nil {
		return nil
	}
	for _, hook := range []struct {
		name    string
		handler *corev1.LifecycleHandler
	}{{"postStart", c.Lifecycle.PostStart}, {"preStop", c.Lifecycle.PreStop}} {
		if hook.handler == nil || hook.handler.HTTPGet == nil || pastTheProxy(pod, c.Container, hook.handler.HTTPGet) {
			continue
		}
		found.add(fmt.Sprintf("%s: lifecycle.%s.httpGet is plaintext from the kubelet, which the mesh refuses", c.title, hook.name),
			"use exec or sleep", "exclude its port by the annotation "+metadata.ExcludeInboundPorts)
	}
	return found
}

// pastTheProxy tells whether the kubelet's call is none of the proxy's: it goes to
// another host, or to a port that the pod excludes.
func pastTheProxy(pod *corev1.Pod, c *corev1.Container, get *corev1.HTTPGetAction) bool {
	if get.Host != "" {
		return true
	}
	port, err := containerPort(c, get.Port)
	return err == nil && slices.Contains(items(pod.Annotations[metadata.ExcludeInboundPorts]), strconv.Itoa(int(port)))
}
