// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// Operation is one operation of a JSON patch (RFC 6902). Operations are made by
// hand and not by comparing two encodings of the pod: a diff would drop fields
// that this build of the API types does not know.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	From  string `json:"from,omitempty"`
	Value any    `json:"value,omitempty"`
}

// Result is what admission does to a pod: operations in the order in which they
// apply, none if the pod is as it should be, and warnings for whoever made it.
type Result struct {
	Operations []Operation
	Warnings   []string
}

// Patch puts a pod in the mesh. The caller has found that the mesh's webhook
// selects this pod, so a pod is left out only if its own label says so, or if
// it has no network of its own. It can be called again with what it made, and
// with what others made of that: it then gives only the operations that are
// missing. An error is a refusal, a sentence for whoever made the pod.
//
// Nothing in the pod is believed: containers and volumes with names of the mesh's,
// which a pod from a backup brings as well, are replaced where they are not what
// Patch would make. Only where probes led before is read from them, and held to
// what the probes themselves might say.
func Patch(pod *corev1.Pod, namespace Namespace, settings Settings) (Result, error) {
	found := refuseReserved(pod)
	if why := outside(pod); why != "" {
		return unmeshed(pod, why, found)
	}
	found = append(found, refuse(pod, namespace, settings)...)
	settings, wrong := override(pod, namespace, settings)
	found.addErrors(wrong)
	resources, wrong := fit(pod, namespace.Bounds, settings)
	found.addErrors(wrong)
	excluded, warnings, wrong := exclude(pod, namespace)
	found.addErrors(wrong)
	probes := rewriteProbes(&pod.Spec)
	found.addErrors(probes.errs)
	if err := found.err(); err != nil {
		return Result{}, err
	}
	result := Result{
		Operations: append(probes.operations, addSleep(&pod.Spec, settings.PreStopSleep)...),
		Warnings:   slices.Concat(probes.warnings, warnings, overruledPorts(pod), metadata.UnknownOfPod(pod.Labels, pod.Annotations)),
	}
	if pod.Spec.DNSPolicy == corev1.DNSDefault || pod.Spec.DNSPolicy == corev1.DNSNone {
		result.Warnings = append(result.Warnings, fmt.Sprintf(
			"dnsPolicy %s: the pod starts only if its resolver knows %s", pod.Spec.DNSPolicy, controlPlaneHost(settings)))
	}

	volumes, replaced := addVolumes(&pod.Spec, settings)
	annotations, err := addFiles(pod)
	if err != nil {
		return Result{}, err
	}
	containers, others, err := addContainers(&pod.Spec, settings, resources, probes.routes, excluded)
	if err != nil {
		return Result{}, err
	}
	if replaced = append(replaced, others...); len(replaced) > 0 {
		result.Warnings = append(result.Warnings, "replaced by what the mesh makes today, since the names belong to it: "+strings.Join(replaced, ", "))
	}
	// Probes first: their paths count containers as they stand in the pod.
	result.Operations = slices.Concat(result.Operations, annotations, volumes, containers)
	return result, nil
}

// outside says why a pod is not to be in the mesh, or nothing.
func outside(pod *corev1.Pod) string {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case pod.Labels[metadata.InjectLabel] == metadata.InjectDisabled:
		return "its label " + metadata.InjectLabel + " says so"
	case mirror:
		return "it mirrors a static pod"
	case pod.Spec.HostNetwork && pod.Labels[metadata.InjectLabel] != metadata.InjectEnabled:
		return "it uses the node's network"
	}
	return ""
}

// unmeshed leaves a pod alone, unless it poses as one of the mesh: nothing has
// compared what it carries with what the mesh makes.
func unmeshed(pod *corev1.Pod, why string, found reasons) (Result, error) {
	const remedy = "remove it from the manifest, and the probes that lead to port 15020"
	for _, volume := range pod.Spec.Volumes {
		if ourVolume(volume.Name) {
			found.add(fmt.Sprintf("volume %s: the name belongs to the mesh, and this pod is not in the mesh, since %s", volume.Name, why), remedy)
		}
	}
	for i := range pod.Spec.InitContainers {
		if name := pod.Spec.InitContainers[i].Name; ourContainer(name) {
			found.add(fmt.Sprintf("init container %s: the name belongs to the mesh, and this pod is not in the mesh, since %s", name, why), remedy)
		}
	}
	if err := found.err(); err != nil {
		return Result{}, err
	}
	if pod.Labels[metadata.InjectLabel] == metadata.InjectDisabled {
		return Result{}, nil
	}
	return Result{Warnings: []string{"this pod is not in the mesh: " + why}}, nil
}
