// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	listers "github.com/openservicemesh/mesh-apiserver/generated/listers/mesh/v1alpha1"
)

// kindMeshPolicy is the kind of policies.
const kindMeshPolicy = "MeshPolicy"

// policyTarget is a target of MeshPolicies, as kinds/meshpolicy has it.
func policyTarget(client versioned.Interface, lister listers.MeshPolicyLister) Target {
	return Target{
		Kind: kindMeshPolicy,
		Get: func(key types.NamespacedName) (Object, error) {
			return lister.MeshPolicies(key.Namespace).Get(key.Name)
		},
		Edit: func(o Object) (Object, Fields) {
			policy := *o.(*v1alpha1.MeshPolicy)
			policy.Status = *policy.Status.DeepCopy()
			return &policy, Fields{&policy.Status, &policy.Status.Conditions, &policy.Status.Proxies}
		},
		Write: func(ctx context.Context, o Object) error {
			_, err := client.MeshV1alpha1().MeshPolicies(o.GetNamespace()).UpdateStatus(ctx, o.(*v1alpha1.MeshPolicy), metav1.UpdateOptions{FieldManager: FieldManager})
			return err
		},
		Conditions: []string{v1alpha1.ConditionDeniesAtFirstByte},
	}
}
