// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
)

// SetSystemNamespace says where the server is. It comes before any pod.
func (w *World) SetSystemNamespace(namespace string) { w.systemNamespace = namespace }

// SetAccess takes in a policy, which is what an object of some kind says of access,
// when that object was created or changed.
func (w *World) SetAccess(access intent.Access) {
	origin := access.Origin.Reference
	old := w.policies[origin]
	if old != nil && reflect.DeepEqual(*old, access) {
		// Only the status is another: what is known of the policy stays.
		return
	}
	if old != nil {
		w.forgetPolicy(old)
	}
	policy := &access
	w.policies[origin] = policy
	w.policiesByScope.add(scopeOf(policy), origin)
	for _, reference := range references(policy) {
		w.policiesByReference.add(reference, origin)
	}
	w.touchPolicy(policy)
}

// DeleteAccess forgets a policy.
func (w *World) DeleteAccess(origin Reference) {
	if old := w.policies[origin]; old != nil {
		w.forgetPolicy(old)
		delete(w.policies, origin)
	}
}

func (w *World) forgetPolicy(policy *intent.Access) {
	origin := policy.Origin.Reference
	w.touchPolicy(policy)
	delete(w.derived, policy)
	w.policiesByScope.remove(scopeOf(policy), origin)
	for _, reference := range references(policy) {
		w.policiesByReference.remove(reference, origin)
	}
}

// everyNamespace is the scope of the administrators' policies.
const everyNamespace = ""

// scopeOf is the namespace that a policy is about, or everyNamespace.
func scopeOf(policy *intent.Access) string {
	if policy.Administrators {
		return everyNamespace
	}
	return policy.Origin.Namespace
}

// touchPolicy marks a policy and every workload that it may speak of: a policy
// that does not select a workload costs it nothing.
func (w *World) touchPolicy(policy *intent.Access) {
	w.dirty.Policies[policy.Origin.Reference] = struct{}{}
	delete(w.sorted, scopeOf(policy))
	may := w.selection(policy)
	for _, view := range w.viewsFor(policy) {
		if may(view) {
			w.dirty.Views[view.Name] = struct{}{}
		}
	}
}

// selection gives a function that is true for the views that a policy may have
// as its target.
func (w *World) selection(policy *intent.Access) func(*View) bool {
	if len(policy.Targets) == 0 {
		return func(view *View) bool {
			return policy.Selector == nil || policy.Selector.Matches(labels.Set(view.Labels))
		}
	}
	var services []*corev1.Service
	for _, target := range policy.Targets {
		if service := w.services[target.Key]; service != nil && target.Kind == KindService {
			services = append(services, service)
		}
	}
	return func(view *View) bool {
		return slices.ContainsFunc(services, func(s *corev1.Service) bool { return Selects(s, view) })
	}
}

// ViewsFor gives the views that a policy speaks to: those of its namespace, for
// an administrators' policy all. Sorted by name.
func (w *World) ViewsFor(policy *intent.Access) []*View {
	views := w.viewsFor(policy)
	slices.SortFunc(views, func(a, b *View) int { return cmp.Compare(a.Name, b.Name) })
	return views
}

func (w *World) viewsFor(policy *intent.Access) []*View {
	if policy.Administrators {
		return slices.Collect(maps.Values(w.views))
	}
	var views []*View
	for name := range w.viewsByNamespace[policy.Origin.Namespace] {
		views = append(views, w.views[name])
	}
	return views
}

// Derived gives what build gave for a policy before, or calls it. It is forgotten
// when the policy changes, or a caller that it admits comes or
// goes. fits says whether what was built is still right.
func Derived[T any](w *World, policy *intent.Access, fits func(T) bool, build func() T) T {
	if before, ok := w.derived[policy].(T); ok && fits(before) {
		return before
	}
	built := build()
	if w.policies[policy.Origin.Reference] == policy {
		w.derived[policy] = built
	}
	return built
}

func (w *World) touchPoliciesNaming(reference Reference) {
	for origin := range w.policiesByReference[reference] {
		w.dirty.Policies[origin] = struct{}{}
	}
}

// touchPoliciesAdmitting is touchPoliciesNaming for a caller that has come to exist,
// or does no more: which callers an Allow admits depends on that, and so do the workloads that
// it may speak of.
func (w *World) touchPoliciesAdmitting(reference Reference) {
	for origin := range w.policiesByReference[reference] {
		policy := w.policies[origin]
		if policy.Action == intent.Deny {
			w.dirty.Policies[origin] = struct{}{}
			continue
		}
		delete(w.derived, policy)
		w.touchPolicy(policy)
	}
}

// Admitted tells whether an Allow names an account or namespace.
func (w *World) Admitted(reference Reference) bool {
	for origin := range w.policiesByReference[reference] {
		if w.policies[origin].Action != intent.Deny {
			return true
		}
	}
	return false
}

// Policy gives the policy that comes from an object, or nil.
func (w *World) Policy(origin Reference) *intent.Access { return w.policies[origin] }

// Policies gives where all policies come from, sorted.
func (w *World) Policies() []Reference {
	return slices.SortedFunc(maps.Keys(w.policies), compareReferences)
}

// compareReferences puts objects in order by namespace and name, then kind.
func compareReferences(a, b Reference) int {
	return cmp.Or(compareKeys(a.Key, b.Key), cmp.Compare(a.Kind, b.Kind))
}

// PoliciesIn gives the policies that are about a namespace alone, sorted by name.
// The list is not the caller's to change.
func (w *World) PoliciesIn(namespace string) []*intent.Access {
	if policies, ok := w.sorted[namespace]; ok || len(w.policiesByScope[namespace]) == 0 {
		return policies
	}
	var policies []*intent.Access
	for origin := range w.policiesByScope[namespace] {
		policies = append(policies, w.policies[origin])
	}
	slices.SortFunc(policies, func(a, b *intent.Access) int { return compareReferences(a.Origin.Reference, b.Origin.Reference) })
	w.sorted[namespace] = policies
	return policies
}

// PoliciesFor gives the policies that may speak of the pods of a namespace: the
// administrators', then its own, each sorted by name. The list is not the caller's
// to change.
func (w *World) PoliciesFor(namespace string) []*intent.Access {
	administrators, own := w.PoliciesIn(everyNamespace), w.PoliciesIn(namespace)
	if len(administrators) == 0 {
		return own
	}
	return slices.Concat(administrators, own)
}
