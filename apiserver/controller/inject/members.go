// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	corev1 "k8s.io/api/core/v1"
)

// member is a container of the pod, and what a sentence calls it.
type member struct {
	*corev1.Container
	// title is "container app", "init container setup", or, of an init container
	// that runs on (KEP-753), "sidecar container log".
	title string
	// runsOn is true if it runs beside the proxy: all but init containers that end.
	runsOn bool
}

// others are the containers that are not the mesh's, as they start.
func others(spec *corev1.PodSpec) []member {
	var found []member
	for i := range spec.InitContainers {
		if c := &spec.InitContainers[i]; !ourContainer(c.Name) {
			found = append(found, member{c, titleOfInit(c), restarts(c)})
		}
	}
	for i := range spec.Containers {
		if c := &spec.Containers[i]; !ourContainer(c.Name) {
			found = append(found, member{c, title(c), true})
		}
	}
	return found
}

func title(c *corev1.Container) string { return "container " + c.Name }

func titleOfInit(c *corev1.Container) string {
	if restarts(c) {
		return "sidecar container " + c.Name
	}
	return "init container " + c.Name
}

func restarts(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}
