// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/registry/table"
)

var tableConvertor = table.Convertor{
	Columns: []table.Column{
		{Name: "Action", Type: "string", Description: "Whether a matched call is admitted or refused."},
		{Name: "Mode", Type: "string", Description: "Whether the policy decides or only reports."},
		{Name: "Targets", Type: "string", Description: "Which workloads of the namespace are spoken of."},
		{Name: "Rules", Type: "integer", Description: "The number of rules."},
		{Name: "Accepted", Type: "string", Description: "Whether the policy can be compiled, and all that it names exists."},
		{Name: "Proxies", Type: "string", Description: "Connected proxies that have acknowledged the policy, of those that it affects."},
		{Name: "Programmed", Type: "string", Description: "Whether every connected proxy that it affects has acknowledged this generation.", Wide: true},
		{Name: "Disconnected", Type: "string", Description: "Proxies that it affects and that are not connected, which nobody waits for.", Wide: true},
	},
	Cells: func(obj runtime.Object) []any {
		policy := obj.(*mesh.MeshPolicy)
		return []any{
			string(policy.Spec.Action),
			string(policy.Spec.Mode),
			targets(policy.Spec),
			int64(len(policy.Spec.Rules)),
			condition(policy.Status, v1alpha1.ConditionAccepted),
			proxies(policy.Status.Proxies),
			condition(policy.Status, v1alpha1.ConditionProgrammed),
			disconnected(policy.Status.Proxies),
		}
	},
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

// condition is a condition's status, or Unknown while nobody has looked.
func condition(status mesh.MeshPolicyStatus, kind string) string {
	if found := meta.FindStatusCondition(status.Conditions, kind); found != nil {
		return string(found.Status)
	}
	return string(metav1.ConditionUnknown)
}

// proxies is "acked/affected", or empty while nobody has counted.
func proxies(counts *mesh.ProxyCounts) string {
	if counts == nil {
		return ""
	}
	return fmt.Sprintf("%d/%d", counts.Acked, counts.Affected)
}

// disconnected is their number, or empty while nobody has counted.
func disconnected(counts *mesh.ProxyCounts) string {
	if counts == nil {
		return ""
	}
	return strconv.Itoa(int(counts.Disconnected))
}
