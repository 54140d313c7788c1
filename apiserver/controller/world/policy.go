// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
)

// policies are the MeshPolicies, filed by what they have as target: a workload reads
// those alone that may speak of it. The namespace "" stands for all, of which
// administrators' policies speak.
type policies struct {
	all *graph.Table[Key, *v1alpha1.MeshPolicy]
	// whole are those that speak of all workloads of a namespace.
	whole *graph.Index[string, Key]
	// selecting pairs those with a selector with the views that it selects.
	selecting *graph.Join[string, Key, string]
	// targeting are those that name a Service as target.
	targeting *graph.Index[Key, Key]
	// admitting are the Allows that name an account or namespace.
	admitting *graph.Index[Reference, Key]
}

func newPolicies(w *World) policies {
	return policies{
		all:       graph.NewTable[Key, *v1alpha1.MeshPolicy](),
		whole:     graph.NewIndex[string, Key](),
		selecting: graph.NewJoin[string](w.policySelects),
		targeting: graph.NewIndex[Key, Key](),
		admitting: graph.NewIndex[Reference, Key](),
	}
}

// SetSystemNamespace says where the administrators' policies are, those that
// apply to every namespace. It comes before any policy.
func (w *World) SetSystemNamespace(namespace string) { w.systemNamespace = namespace }

// IsAdministrators tells whether a policy applies to every namespace.
func (r Reader) IsAdministrators(policy *v1alpha1.MeshPolicy) bool {
	return r.w.bucket(policy) == ""
}

// bucket is the namespace of whose workloads a policy may speak, "" for all.
func (w *World) bucket(policy *v1alpha1.MeshPolicy) string {
	if policy.Namespace == w.systemNamespace {
		return ""
	}
	return policy.Namespace
}

// SetPolicy takes in a MeshPolicy that was created or changed.
func (w *World) SetPolicy(policy *v1alpha1.MeshPolicy) {
	key := keyOf(policy)
	old, _ := w.policies.all.Get(nil, key)
	if old != nil && old.UID == policy.UID && old.Generation == policy.Generation && reflect.DeepEqual(old.Spec, policy.Spec) {
		// Only the status is another.
		return
	}
	w.policies.all.Set(key, policy)
	w.filePolicy(policy, true)
	if old != nil {
		w.filePolicy(old, false)
	}
	if selects(policy) {
		w.policies.selecting.SetLeft(key, w.bucket(policy))
	} else {
		w.policies.selecting.SetLeft(key)
	}
}

// DeletePolicy forgets a MeshPolicy.
func (w *World) DeletePolicy(key Key) {
	if old, ok := w.policies.all.Get(nil, key); ok {
		w.policies.all.Delete(key)
		w.filePolicy(old, false)
		w.policies.selecting.SetLeft(key)
	}
}

func (w *World) filePolicy(policy *v1alpha1.MeshPolicy, there bool) {
	key := keyOf(policy)
	switch {
	case len(policy.Spec.TargetRefs) > 0:
		for _, ref := range policy.Spec.TargetRefs {
			file(w.policies.targeting, Key{Namespace: policy.Namespace, Name: ref.Name}, key, there)
		}
	case !selects(policy):
		file(w.policies.whole, w.bucket(policy), key, there)
	}
	if policy.Spec.Action != v1alpha1.PolicyActionDeny {
		for _, reference := range references(policy) {
			file(w.policies.admitting, reference, key, there)
		}
	}
}

// selects tells whether a policy has a selector. One that cannot be read may mean each
// workload.
func selects(policy *v1alpha1.MeshPolicy) bool {
	if len(policy.Spec.TargetRefs) > 0 || policy.Spec.Selector == nil {
		return false
	}
	_, err := metav1.LabelSelectorAsSelector(policy.Spec.Selector)
	return err == nil
}

// policySelects tells whether the selector of a policy selects the pods of a view.
func (w *World) policySelects(policy Key, view string) bool {
	p, _ := w.policies.all.Get(nil, policy)
	v, _ := w.views.Get(nil, view)
	if p == nil || v == nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(p.Spec.Selector)
	return err != nil || selector.Matches(labels.Set(v.Labels))
}

// OnPolicy has f called when a MeshPolicy has come or gone.
func (w *World) OnPolicy(f func(Key)) { w.policies.all.OnKey(f) }

// Admitted tells whether an Allow names an account or namespace.
func (r Reader) Admitted(reference Reference) bool {
	return r.w.policies.admitting.Len(r.record, reference) > 0
}

// Policy gives the MeshPolicy of that name, or nil.
func (r Reader) Policy(key Key) *v1alpha1.MeshPolicy {
	policy, _ := r.w.policies.all.Get(r.record, key)
	return policy
}

// ViewsFor gives the views that a policy may speak to, sorted by name.
func (r Reader) ViewsFor(policy *v1alpha1.MeshPolicy) []*View {
	if len(policy.Spec.TargetRefs) == 0 {
		if selects(policy) {
			return r.viewsOf(sortedNames(r.w.policies.selecting.Rights(r.record, keyOf(policy))))
		}
		return r.ViewsIn(r.w.bucket(policy))
	}
	found := map[string]*View{}
	for _, ref := range policy.Spec.TargetRefs {
		for _, view := range r.ViewsSelected(Key{Namespace: policy.Namespace, Name: ref.Name}) {
			found[view.Name] = view
		}
	}
	views := make([]*View, 0, len(found))
	for _, view := range found {
		views = append(views, view)
	}
	slices.SortFunc(views, func(a, b *View) int { return cmp.Compare(a.Name, b.Name) })
	return views
}

// PoliciesOn gives the MeshPolicies that may speak of a view, which these Services
// select: the administrators', then those of its namespace, each sorted by name.
func (r Reader) PoliciesOn(view *View, services []*corev1.Service) []*v1alpha1.MeshPolicy {
	p := &r.w.policies
	keys := append(p.selecting.Lefts(r.record, view.Name), p.whole.Of(r.record, "")...)
	keys = append(keys, p.whole.Of(r.record, view.Namespace)...)
	for _, service := range services {
		keys = append(keys, p.targeting.Of(r.record, keyOf(service))...)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(r.w.compareAdministrators(a, b), compareKeys(a, b))
	})
	keys = slices.Compact(keys)
	policies := make([]*v1alpha1.MeshPolicy, len(keys))
	for i, key := range keys {
		policies[i] = r.Policy(key)
	}
	return policies
}

// compareAdministrators puts administrators' policies first.
func (w *World) compareAdministrators(a, b Key) int {
	switch {
	case a.Namespace == b.Namespace:
		return 0
	case a.Namespace == w.systemNamespace:
		return -1
	case b.Namespace == w.systemNamespace:
		return 1
	}
	return 0
}
