// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// osLabels are the labels by which nodes say their operating system; the second
// is the older spelling, which kubelets still write (k8s.io/kubelet/pkg/apis).
var osLabels = []string{corev1.LabelOSStable, "beta.kubernetes.io/os"}

// notLinux names the field by which a pod says that it does not run on Linux, or
// nothing. Tolerations do not say so: they let a pod run on Windows as well. What a
// RuntimeClass asks of nodes is in the nodeSelector before a webhook sees the pod.
func notLinux(pod *corev1.Pod) string {
	if pod.Spec.OS != nil && pod.Spec.OS.Name != "" {
		if pod.Spec.OS.Name == corev1.Linux {
			return ""
		}
		return "os.name"
	}
	for _, label := range osLabels {
		switch os, ok := pod.Spec.NodeSelector[label]; {
		case ok && os == string(corev1.Linux):
			return ""
		case ok:
			return fmt.Sprintf("nodeSelector[%s]", label)
		}
	}
	if excludesLinux(pod.Spec.Affinity) {
		return "affinity.nodeAffinity"
	}
	if security := pod.Spec.SecurityContext; security != nil && security.WindowsOptions != nil {
		return "securityContext.windowsOptions"
	}
	for _, c := range others(&pod.Spec) {
		if c.SecurityContext != nil && c.SecurityContext.WindowsOptions != nil {
			return c.title + ": securityContext.windowsOptions"
		}
	}
	return ""
}

// excludesLinux tells whether no term of the required node affinity, of which one
// is enough, takes a node that runs Linux.
func excludesLinux(affinity *corev1.Affinity) bool {
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return false
	}
	terms := affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	return len(terms) > 0 && !slices.ContainsFunc(terms, func(term corev1.NodeSelectorTerm) bool {
		return !slices.ContainsFunc(term.MatchExpressions, refusesLinux)
	})
}

// refusesLinux tells whether a requirement is about the operating system and not
// met by Linux.
func refusesLinux(r corev1.NodeSelectorRequirement) bool {
	if !slices.Contains(osLabels, r.Key) {
		return false
	}
	named := slices.Contains(r.Values, string(corev1.Linux))
	switch r.Operator {
	case corev1.NodeSelectorOpIn:
		return !named
	case corev1.NodeSelectorOpNotIn:
		return named
	case corev1.NodeSelectorOpExists:
		return false
	}
	return true
}
