// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	listers "github.com/openservicemesh/mesh-apiserver/generated/listers/mesh/v1alpha1"
)

// KindMeshPolicy is the kind of the target that MeshPolicies makes.
const KindMeshPolicy = "MeshPolicy"

// ReasonTCPPort is that of the condition DeniesAtFirstByte.
const ReasonTCPPort = "TCPPort"

// Audits is what proxies have counted of Audit policies.
type Audits interface {
	Counts(policy string) telemetry.Counts
}

// MeshPolicies is the target of MeshPolicy. Its status has what Audit policies would
// have done, unless audits is nil.
func MeshPolicies(client versioned.Interface, lister listers.MeshPolicyLister, audits Audits) Target {
	return Target{
		Kind: KindMeshPolicy,
		Get: func(key types.NamespacedName) (Object, error) {
			return lister.MeshPolicies(key.Namespace).Get(key.Name)
		},
		Edit: func(o Object) (Object, Fields) {
			policy := *o.(*v1alpha1.MeshPolicy)
			policy.Status = *policy.Status.DeepCopy()
			return &policy, Fields{&policy.Status, &policy.Status.Conditions, &policy.Status.Proxies}
		},
		Own: func(o Object) {
			policy := o.(*v1alpha1.MeshPolicy)
			policy.Status.Audit = nil
			if policy.Spec.Mode == v1alpha1.PolicyModeAudit && audits != nil {
				counts := audits.Counts(policy.Namespace + "/" + policy.Name)
				policy.Status.Audit = &v1alpha1.AuditCounts{Allowed: counts.Allowed, Denied: counts.Denied}
			}
		},
		Write: func(ctx context.Context, o Object) error {
			_, err := client.MeshV1alpha1().MeshPolicies(o.GetNamespace()).UpdateStatus(ctx, o.(*v1alpha1.MeshPolicy), metav1.UpdateOptions{FieldManager: fieldManager})
			return err
		},
		Conditions: []string{v1alpha1.ConditionDeniesAtFirstByte},
	}
}
