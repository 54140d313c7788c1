// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func ourContainer(name string) bool {
	return name == model.InitContainer || name == model.ProxyContainer
}

// addContainers puts mesh-proxy and mesh-init before all other init containers:
// what starts earlier would speak past the proxy. If they are there already
// they are compared, brought up to date with the probes, and moved to the front.
func addContainers(spec *corev1.PodSpec, settings Settings, routes []ProbeRoute, excluded []string) ([]Operation, error) {
	bootstrap, err := bootstrapArgument(settings, routes)
	if err != nil {
		return nil, err
	}
	user := proxyUser(spec, settings)
	var operations []Operation
	if spec.InitContainers == nil {
		operations = append(operations, Operation{Op: "add", Path: "/spec/initContainers", Value: []corev1.Container{}})
	}
	order := make([]string, 0, len(spec.InitContainers)+2)
	for i := range spec.InitContainers {
		order = append(order, spec.InitContainers[i].Name)
	}
	settings.Resources = resourcesFor(spec, settings.Resources)
	for to, want := range []corev1.Container{proxyContainer(settings, user, bootstrap), initContainer(settings, user, routes, excluded)} {
		from := slices.Index(order, want.Name)
		if from < 0 {
			operations = append(operations, Operation{Op: "add", Path: initContainerPath(to), Value: want})
			order = slices.Insert(order, to, want.Name)
			continue
		}
		have := initContainerNamed(spec, want.Name)
		if !sameContainer(*have, want) {
			return nil, fmt.Errorf("container %s: the name belongs to the mesh, and this is not the container that the mesh makes: remove it from the manifest, the mesh adds its own", want.Name)
		}
		if !slices.Equal(have.Args, want.Args) {
			operations = append(operations, Operation{Op: "replace", Path: initContainerPath(from) + "/args", Value: want.Args})
		}
		if from != to {
			operations = append(operations, Operation{Op: "move", From: initContainerPath(from), Path: initContainerPath(to)})
			order = slices.Insert(slices.Delete(order, from, from+1), to, want.Name)
		}
	}
	return operations, nil
}

func initContainerPath(i int) string { return fmt.Sprintf("/spec/initContainers/%d", i) }

func initContainerNamed(spec *corev1.PodSpec, name string) *corev1.Container {
	i := slices.IndexFunc(spec.InitContainers, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &spec.InitContainers[i]
}

// others are the containers that are not the mesh's.
func others(spec *corev1.PodSpec) []*corev1.Container {
	var found []*corev1.Container
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			if !ourContainer(containers[i].Name) {
				found = append(found, &containers[i])
			}
		}
	}
	return found
}

// sameContainer compares all but what the API server's own plugins may change
// (AlwaysPullImages, LimitRanger, defaults), the bootstrap and the probe routes,
// which follow the probes of the other containers, and the exclusions, which follow
// annotations.
func sameContainer(have, want corev1.Container) bool {
	return apiequality.Semantic.DeepEqual(compared(have), compared(want))
}

func compared(c corev1.Container) corev1.Container {
	c = *c.DeepCopy()
	c.ImagePullPolicy = ""
	c.TerminationMessagePath = ""
	c.TerminationMessagePolicy = ""
	c.Resources = corev1.ResourceRequirements{}
	c.Args = slices.DeleteFunc(c.Args, func(arg string) bool {
		return strings.HasPrefix(arg, probeArgument) || strings.HasPrefix(arg, excludeArgument) || strings.HasPrefix(arg, "{")
	})
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe} {
		if probe != nil && probe.HTTPGet != nil && probe.HTTPGet.Protocol != nil && *probe.HTTPGet.Protocol == corev1.HTTPProtocolHTTP1 {
			probe.HTTPGet.Protocol = nil
		}
	}
	return c
}

// resourcesFor fits the proxy's resources to the pod's own accounts.
func resourcesFor(spec *corev1.PodSpec, resources corev1.ResourceRequirements) corev1.ResourceRequirements {
	// Within a budget for the whole pod (KEP-2837) the sum of the containers'
	// requests must stay below it, so the proxy shares without a part of its own.
	if spec.Resources != nil {
		return corev1.ResourceRequirements{}
	}
	// The kubelet evicts a pod whose disk use exceeds the sum of its containers'
	// limits, if there are any; the proxy's log and mesh-run count, so it adds its part.
	limited := slices.ContainsFunc(others(spec), func(c *corev1.Container) bool {
		_, ok := c.Resources.Limits[corev1.ResourceEphemeralStorage]
		return ok
	})
	if !limited {
		return resources
	}
	resources = *resources.DeepCopy()
	if resources.Limits == nil {
		resources.Limits = corev1.ResourceList{}
	}
	if _, ok := resources.Limits[corev1.ResourceEphemeralStorage]; !ok {
		resources.Limits[corev1.ResourceEphemeralStorage] = resource.MustParse(diskSize)
	}
	return resources
}
