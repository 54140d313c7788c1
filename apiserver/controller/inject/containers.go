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

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

func ourContainer(name string) bool {
	return name == sidecar.InitContainer || name == sidecar.ProxyContainer
}

// addContainers puts mesh-proxy and mesh-init before all other init containers:
// what starts earlier would speak past the proxy. Those that the pod brings, from
// an earlier call, a backup or its author, are replaced unless they are the same,
// and moved to the front. replaced names them.
func addContainers(spec *corev1.PodSpec, settings Settings, resources fitted, routes []ProbeRoute, excluded []string) (operations []Operation, replaced []string, err error) {
	bootstrap, err := bootstrapOf(settings, routes)
	if err != nil {
		return nil, nil, err
	}
	user := proxyUser(spec, settings)
	if spec.InitContainers == nil {
		operations = append(operations, Operation{Op: "add", Path: "/spec/initContainers", Value: []corev1.Container{}})
	}
	order := make([]string, 0, len(spec.InitContainers)+2)
	for i := range spec.InitContainers {
		order = append(order, spec.InitContainers[i].Name)
	}
	proxy, init := proxyContainer(settings, user, bootstrap), initContainer(settings, user, routes, excluded)
	proxy.Resources, init.Resources = resourcesFor(spec, resources.proxy), resourcesFor(spec, resources.init)
	for to, want := range []corev1.Container{proxy, init} {
		from := slices.Index(order, want.Name)
		if from < 0 {
			operations = append(operations, Operation{Op: "add", Path: initContainerPath(to), Value: want})
			order = slices.Insert(order, to, want.Name)
			continue
		}
		switch have := initContainerNamed(spec, want.Name); {
		case !sameContainer(*have, want):
			operations = append(operations, Operation{Op: "replace", Path: initContainerPath(from), Value: want})
			replaced = append(replaced, "container "+want.Name)
		case !slices.Equal(have.Args, want.Args):
			operations = append(operations, Operation{Op: "replace", Path: initContainerPath(from) + "/args", Value: want.Args})
		}
		if from != to {
			operations = append(operations, Operation{Op: "move", From: initContainerPath(from), Path: initContainerPath(to)})
			order = slices.Insert(slices.Delete(order, from, from+1), to, want.Name)
		}
	}
	return operations, replaced, nil
}

func initContainerPath(i int) string { return fmt.Sprintf("/spec/initContainers/%d", i) }

func initContainerNamed(spec *corev1.PodSpec, name string) *corev1.Container {
	i := slices.IndexFunc(spec.InitContainers, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &spec.InitContainers[i]
}

// sameContainer compares all but what the API server's own plugins may change
// (AlwaysPullImages, LimitRanger, defaults), the bootstrap and the probe routes,
// which follow the probes of the other containers, and the exclusions, which follow
// annotations.
func sameContainer(have, want corev1.Container) bool {
	return apiequality.Semantic.DeepEqual(compared(have), compared(want)) && covers(have.Resources, want.Resources)
}

// covers tells whether a container has all resources that it should. More are a
// LimitRange's, for what the mesh's containers do not state.
func covers(have, want corev1.ResourceRequirements) bool {
	for _, pair := range []struct{ have, want corev1.ResourceList }{{have.Requests, want.Requests}, {have.Limits, want.Limits}} {
		for name, quantity := range pair.want {
			if had, ok := pair.have[name]; !ok || had.Cmp(quantity) != 0 {
				return false
			}
		}
	}
	return len(have.Claims) == 0
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
	if budgeted(spec) {
		return corev1.ResourceRequirements{}
	}
	// The kubelet evicts a pod whose disk use exceeds the sum of its containers'
	// limits, if there are any; the proxy's log and mesh-run count, so it adds its part.
	limited := slices.ContainsFunc(others(spec), func(c member) bool {
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
