// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshpolicy keeps MeshPolicies.
package meshpolicy

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/validation"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/progress"
	"github.com/openservicemesh/mesh-apiserver/registry/table"
)

// Kind describes MeshPolicy. Those in systemNamespace are the administrators'.
// References may be nil: then nothing is warned about that is not there.
func Kind(systemNamespace string, references References) kind.Stored[*mesh.MeshPolicy, mesh.MeshPolicySpec, mesh.MeshPolicyStatus] {
	return kind.Stored[*mesh.MeshPolicy, mesh.MeshPolicySpec, mesh.MeshPolicyStatus]{
		Names:   kind.Names{Resource: mesh.Resource("meshpolicies"), Singular: "meshpolicy", Short: []string{"mp"}, Namespaced: true},
		New:     func() *mesh.MeshPolicy { return &mesh.MeshPolicy{} },
		NewList: func() runtime.Object { return &mesh.MeshPolicyList{} },
		Spec:    func(policy *mesh.MeshPolicy) *mesh.MeshPolicySpec { return &policy.Spec },
		Status:  func(policy *mesh.MeshPolicy) *mesh.MeshPolicyStatus { return &policy.Status },

		Validate: func(policy *mesh.MeshPolicy) field.ErrorList {
			return validation.ValidateMeshPolicy(policy, systemNamespace)
		},
		ValidateUpdate: func(policy, old *mesh.MeshPolicy) field.ErrorList {
			return validation.ValidateMeshPolicyUpdate(policy, old, systemNamespace)
		},
		ValidateStatus: validation.ValidateMeshPolicyStatus,
		Warnings:       func(policy *mesh.MeshPolicy) []string { return warnings(policy, references) },

		Table: table.Convertor[*mesh.MeshPolicy]{Columns: columns, Cells: cells},
	}
}

var columns = []table.Column{
	{Name: "Action", Type: "string", Description: "Whether a matched call is admitted or refused."},
	{Name: "Mode", Type: "string", Description: "Whether the policy decides or only reports."},
	{Name: "Targets", Type: "string", Description: "Which workloads of the namespace are spoken of."},
	{Name: "Rules", Type: "integer", Description: "The number of rules."},
	{Name: "Accepted", Type: "string", Description: "Whether the policy can be compiled, and all that it names exists."},
	{Name: "Proxies", Type: "string", Description: "Connected proxies that have acknowledged the policy, of those that it affects."},
	{Name: "Programmed", Type: "string", Description: "Whether every connected proxy that it affects has acknowledged this generation.", Wide: true},
	{Name: "Disconnected", Type: "string", Description: "Proxies that it affects and that are not connected, which nobody waits for.", Wide: true},
}

func cells(policy *mesh.MeshPolicy) []any {
	return []any{
		string(policy.Spec.Action),
		string(policy.Spec.Mode),
		targets(policy.Spec),
		int64(len(policy.Spec.Rules)),
		progress.Condition(policy.Status.Conditions, mesh.ConditionAccepted),
		progress.Proxies(policy.Status.Proxies),
		progress.Condition(policy.Status.Conditions, mesh.ConditionProgrammed),
		progress.Disconnected(policy.Status.Proxies),
	}
}

// targets is "Service/a", "Service/a + 2 more", a selector, or "*" for the namespace.
func targets(spec mesh.MeshPolicySpec) string {
	if spec.Selector != nil {
		return metav1.FormatLabelSelector(spec.Selector)
	}
	if len(spec.TargetRefs) == 0 {
		return "*"
	}
	first := spec.TargetRefs[0].Kind + "/" + spec.TargetRefs[0].Name
	if more := len(spec.TargetRefs) - 1; more > 0 {
		return fmt.Sprintf("%s + %d more", first, more)
	}
	return first
}
