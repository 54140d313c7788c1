// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
)

// everyNamespace stands for all namespaces, of which administrators' policies speak.
const everyNamespace = ""

// policies are what objects say of access, by the object, and filed by what they have
// as target: a workload reads those alone that may speak of it.
type policies struct {
	all *graph.Table[Reference, *intent.Access]
	// whole are those that speak of all workloads of a namespace.
	whole *graph.Index[string, Reference]
	// selecting pairs those with a selector with the views that it selects.
	selecting *graph.Join[string, Reference, string]
	// targeting are those that name a Service as target.
	targeting *graph.Index[Key, Reference]
	// admitting are the Allows that name an account or namespace.
	admitting *graph.Index[Reference, Reference]
}

func newPolicies(w *World) policies {
	return policies{
		all:       graph.NewTable[Reference, *intent.Access](),
		whole:     graph.NewIndex[string, Reference](),
		selecting: graph.NewJoin[string](w.policySelects),
		targeting: graph.NewIndex[Key, Reference](),
		admitting: graph.NewIndex[Reference, Reference](),
	}
}

// SetSystemNamespace says where the server is. It comes before any pod.
func (w *World) SetSystemNamespace(namespace string) { w.systemNamespace = namespace }

// scopeOf is the namespace that a policy is about, or everyNamespace.
func scopeOf(policy *intent.Access) string {
	if policy.Administrators {
		return everyNamespace
	}
	return policy.Origin.Namespace
}

// SetAccess takes in a policy, which is what an object of some kind says of access,
// when that object was created or changed.
func (w *World) SetAccess(access intent.Access) {
	origin := access.Origin.Reference
	old, _ := w.policies.all.Get(nil, origin)
	if old != nil && reflect.DeepEqual(*old, access) {
		// Only the status is another.
		return
	}
	w.policies.all.Set(origin, &access)
	w.filePolicy(&access, true)
	if old != nil {
		w.filePolicy(old, false)
	}
	if selects(&access) {
		w.policies.selecting.SetLeft(origin, scopeOf(&access))
	} else {
		w.policies.selecting.SetLeft(origin)
	}
}

// DeleteAccess forgets a policy.
func (w *World) DeleteAccess(origin Reference) {
	if old, ok := w.policies.all.Get(nil, origin); ok {
		w.policies.all.Delete(origin)
		w.filePolicy(old, false)
		w.policies.selecting.SetLeft(origin)
	}
}

func (w *World) filePolicy(policy *intent.Access, there bool) {
	origin := policy.Origin.Reference
	for _, target := range policy.Targets {
		if target.Kind == KindService {
			file(w.policies.targeting, target.Key, origin, there)
		}
	}
	if len(policy.Targets) == 0 && policy.Selector == nil {
		file(w.policies.whole, scopeOf(policy), origin, there)
	}
	if policy.Action != intent.Deny {
		for _, reference := range callers(policy) {
			file(w.policies.admitting, reference, origin, there)
		}
	}
}

// selects tells whether the selector of a policy chooses its target.
func selects(policy *intent.Access) bool { return len(policy.Targets) == 0 && policy.Selector != nil }

// policySelects tells whether the selector of a policy selects the pods of a view.
func (w *World) policySelects(policy Reference, view string) bool {
	p, _ := w.policies.all.Get(nil, policy)
	v, _ := w.views.Get(nil, view)
	return p != nil && v != nil && selects(p) && p.Selector.Matches(labels.Set(v.Labels))
}

// OnPolicy has f called when a policy has come or gone, with the object that it comes
// from.
func (w *World) OnPolicy(f func(origin Reference)) { w.policies.all.OnKey(f) }

// Admitted tells whether an Allow names an account or namespace.
func (r Reader) Admitted(reference Reference) bool {
	return r.w.policies.admitting.Len(r.record, reference) > 0
}

// Policy gives the policy that comes from an object, or nil.
func (r Reader) Policy(origin Reference) *intent.Access {
	policy, _ := r.w.policies.all.Get(r.record, origin)
	return policy
}

// ViewsFor gives the views that a policy may speak to, sorted by name.
func (r Reader) ViewsFor(policy *intent.Access) []*View {
	switch {
	case selects(policy):
		return r.viewsOf(sortedNames(r.w.policies.selecting.Rights(r.record, policy.Origin.Reference)))
	case len(policy.Targets) == 0:
		return r.ViewsIn(scopeOf(policy))
	}
	var views []*View
	for _, target := range policy.Targets {
		if target.Kind == KindService {
			views = append(views, r.ViewsSelected(target.Key)...)
		}
	}
	slices.SortFunc(views, func(a, b *View) int { return cmp.Compare(a.Name, b.Name) })
	return slices.Compact(views)
}

// PoliciesOn gives the policies that may speak of a view, which these Services select:
// the administrators', then those of its namespace, each sorted by name.
func (r Reader) PoliciesOn(view *View, services []*corev1.Service) []*intent.Access {
	p := &r.w.policies
	origins := append(p.selecting.Lefts(r.record, view.Name), p.whole.Of(r.record, everyNamespace)...)
	origins = append(origins, p.whole.Of(r.record, view.Namespace)...)
	for _, service := range services {
		origins = append(origins, p.targeting.Of(r.record, keyOf(service))...)
	}
	slices.SortFunc(origins, compareReferences)
	origins = slices.Compact(origins)
	var administrators, own []*intent.Access
	for _, origin := range origins {
		if policy := r.Policy(origin); policy.Administrators {
			administrators = append(administrators, policy)
		} else {
			own = append(own, policy)
		}
	}
	if len(administrators) == 0 {
		return own
	}
	return append(administrators, own...)
}

// compareReferences puts objects in order by namespace and name, then kind.
func compareReferences(a, b Reference) int {
	return cmp.Or(compareKeys(a.Key, b.Key), cmp.Compare(a.Kind, b.Kind))
}
