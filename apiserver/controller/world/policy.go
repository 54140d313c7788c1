// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// SetSystemNamespace says where the administrators' policies are, those that
// apply to every namespace. It comes before any policy.
func (w *World) SetSystemNamespace(namespace string) { w.systemNamespace = namespace }

// IsAdministrators tells whether a policy applies to every namespace.
func (w *World) IsAdministrators(policy *v1alpha1.MeshPolicy) bool {
	return policy.Namespace == w.systemNamespace && w.systemNamespace != ""
}

// SetPolicy takes in a MeshPolicy that was created or changed.
func (w *World) SetPolicy(policy *v1alpha1.MeshPolicy) {
	key := keyOf(policy)
	old := w.policies[key]
	if old != nil && old.UID == policy.UID && old.Generation == policy.Generation && reflect.DeepEqual(old.Spec, policy.Spec) {
		// Only the status is another: what is known of the spec stays.
		return
	}
	if old != nil {
		w.forgetPolicy(old)
	}
	w.policies[key] = policy
	w.policiesByNamespace.add(key.Namespace, key)
	for _, reference := range references(policy) {
		w.policiesByReference.add(reference, key)
	}
	w.touchPolicy(policy)
}

// DeletePolicy forgets a MeshPolicy.
func (w *World) DeletePolicy(key Key) {
	if old := w.policies[key]; old != nil {
		w.forgetPolicy(old)
		delete(w.policies, key)
	}
}

func (w *World) forgetPolicy(policy *v1alpha1.MeshPolicy) {
	key := keyOf(policy)
	w.touchPolicy(policy)
	delete(w.derived, policy)
	w.policiesByNamespace.remove(key.Namespace, key)
	for _, reference := range references(policy) {
		w.policiesByReference.remove(reference, key)
	}
}

// touchPolicy marks a policy and every workload that it may speak of: a policy
// that does not select a workload costs it nothing.
func (w *World) touchPolicy(policy *v1alpha1.MeshPolicy) {
	key := keyOf(policy)
	w.dirty.Policies[key] = struct{}{}
	delete(w.sorted, key.Namespace)
	may := w.selection(policy)
	for _, view := range w.viewsFor(policy) {
		if may(view) {
			w.dirty.Views[view.Name] = struct{}{}
		}
	}
}

// selection gives a function that is true for the views that a policy may have
// as its target. A selector that cannot be read may mean each.
func (w *World) selection(policy *v1alpha1.MeshPolicy) func(*View) bool {
	if len(policy.Spec.TargetRefs) == 0 {
		if policy.Spec.Selector == nil {
			return func(*View) bool { return true }
		}
		selector, err := metav1.LabelSelectorAsSelector(policy.Spec.Selector)
		return func(view *View) bool { return err != nil || selector.Matches(labels.Set(view.Labels)) }
	}
	var services []*corev1.Service
	for _, ref := range policy.Spec.TargetRefs {
		if service := w.services[Key{Namespace: policy.Namespace, Name: ref.Name}]; service != nil {
			services = append(services, service)
		}
	}
	return func(view *View) bool {
		return slices.ContainsFunc(services, func(s *corev1.Service) bool { return Selects(s, view) })
	}
}

// ViewsFor gives the views that a policy speaks to: those of its namespace, for
// an administrators' policy all. Sorted by name.
func (w *World) ViewsFor(policy *v1alpha1.MeshPolicy) []*View {
	views := w.viewsFor(policy)
	slices.SortFunc(views, func(a, b *View) int { return cmp.Compare(a.Name, b.Name) })
	return views
}

func (w *World) viewsFor(policy *v1alpha1.MeshPolicy) []*View {
	if w.IsAdministrators(policy) {
		return slices.Collect(maps.Values(w.views))
	}
	var views []*View
	for name := range w.viewsByNamespace[policy.Namespace] {
		views = append(views, w.views[name])
	}
	return views
}

// Derived gives what build gave for a policy before, or calls it. It is forgotten
// when the policy changes, or a caller that it admits comes or
// goes. fits says whether what was built is still right.
func Derived[T any](w *World, policy *v1alpha1.MeshPolicy, fits func(T) bool, build func() T) T {
	if before, ok := w.derived[policy].(T); ok && fits(before) {
		return before
	}
	built := build()
	if w.policies[keyOf(policy)] == policy {
		w.derived[policy] = built
	}
	return built
}

func (w *World) touchPoliciesNaming(reference Reference) {
	for key := range w.policiesByReference[reference] {
		w.dirty.Policies[key] = struct{}{}
	}
}

// touchPoliciesAdmitting is touchPoliciesNaming for a caller that has come to exist,
// or does no more: which callers an Allow admits depends on that, and so do the workloads that
// it may speak of.
func (w *World) touchPoliciesAdmitting(reference Reference) {
	for key := range w.policiesByReference[reference] {
		policy := w.policies[key]
		if policy.Spec.Action == v1alpha1.PolicyActionDeny {
			w.dirty.Policies[key] = struct{}{}
			continue
		}
		delete(w.derived, policy)
		w.touchPolicy(policy)
	}
}

// Admitted tells whether an Allow names an account or namespace.
func (w *World) Admitted(reference Reference) bool {
	for key := range w.policiesByReference[reference] {
		if w.policies[key].Spec.Action != v1alpha1.PolicyActionDeny {
			return true
		}
	}
	return false
}

// Policy gives the MeshPolicy of that name, or nil.
func (w *World) Policy(key Key) *v1alpha1.MeshPolicy { return w.policies[key] }

// Policies gives the names of all MeshPolicies, sorted.
func (w *World) Policies() []Key { return slices.SortedFunc(maps.Keys(w.policies), compareKeys) }

// PoliciesIn gives the MeshPolicies of a namespace, sorted by name. The list is
// not the caller's to change.
func (w *World) PoliciesIn(namespace string) []*v1alpha1.MeshPolicy {
	if policies, ok := w.sorted[namespace]; ok || len(w.policiesByNamespace[namespace]) == 0 {
		return policies
	}
	var policies []*v1alpha1.MeshPolicy
	for key := range w.policiesByNamespace[namespace] {
		policies = append(policies, w.policies[key])
	}
	slices.SortFunc(policies, func(a, b *v1alpha1.MeshPolicy) int { return cmp.Compare(a.Name, b.Name) })
	w.sorted[namespace] = policies
	return policies
}

// PoliciesFor gives the MeshPolicies that may speak of the pods of a namespace:
// the administrators', then its own, each sorted by name.
func (w *World) PoliciesFor(namespace string) []*v1alpha1.MeshPolicy {
	own := w.PoliciesIn(namespace)
	if w.systemNamespace == "" || namespace == w.systemNamespace {
		return own
	}
	return slices.Concat(w.PoliciesIn(w.systemNamespace), own)
}
