// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/status"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Source reads MeshPolicies. They are translated beside the loop, and a change of the
// status alone says nothing new.
var Source = kinds.Source{
	Informer: func(i kinds.Informers) cache.SharedIndexInformer {
		return i.Mesh.Mesh().V1alpha1().MeshPolicies().Informer()
	},
	Stored: true,
	Set: func(object any, o kinds.Options) kinds.Change {
		policy, ok := object.(*v1alpha1.MeshPolicy)
		if !ok {
			return nil
		}
		access := Access(policy, o.SystemNamespace)
		return func(w *world.World) { w.SetAccess(access) }
	},
	Delete: func(key world.Key) kinds.Change {
		return func(w *world.World) { w.DeleteAccess(Reference(key)) }
	},
	Same: func(before, object any) bool {
		old, _ := before.(*v1alpha1.MeshPolicy)
		policy, _ := object.(*v1alpha1.MeshPolicy)
		return old != nil && policy != nil && SaySame(old, policy)
	},
	Target: target,
}

// target has in the status of a MeshPolicy what it would have done where it is in
// audit.
func target(c kinds.Clients) status.Target {
	policies := c.Mesh.Mesh().V1alpha1().MeshPolicies().Lister()
	return status.Target{
		Kind: Name,
		Get: func(key types.NamespacedName) (status.Object, error) {
			return policies.MeshPolicies(key.Namespace).Get(key.Name)
		},
		Edit: func(o status.Object) (status.Object, status.Fields) {
			policy := *o.(*v1alpha1.MeshPolicy)
			policy.Status = *policy.Status.DeepCopy()
			return &policy, status.Fields{Status: &policy.Status, Conditions: &policy.Status.Conditions, Proxies: &policy.Status.Proxies}
		},
		Own: func(o status.Object) {
			policy := o.(*v1alpha1.MeshPolicy)
			name := policy.Namespace + "/" + policy.Name
			policy.Status.Audit = nil
			if policy.Spec.Mode != v1alpha1.PolicyModeAudit {
				c.Audits.Forget(name)
				return
			}
			counts := c.Audits.Counts(name)
			policy.Status.Audit = &v1alpha1.AuditCounts{Allowed: counts.Allowed, Denied: counts.Denied}
		},
		Gone: func(key types.NamespacedName) { c.Audits.Forget(key.String()) },
		Write: func(ctx context.Context, o status.Object) error {
			_, err := c.Client.MeshV1alpha1().MeshPolicies(o.GetNamespace()).UpdateStatus(ctx, o.(*v1alpha1.MeshPolicy), metav1.UpdateOptions{FieldManager: status.FieldManager})
			return err
		},
		Conditions: []string{v1alpha1.ConditionDeniesAtFirstByte},
	}
}
