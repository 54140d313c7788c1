// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// SetPolicy takes in a MeshPolicy that was created or changed.
func (w *World) SetPolicy(policy *v1alpha1.MeshPolicy) {
	key := keyOf(policy)
	old := w.policies[key]
	if old != nil && old.UID == policy.UID && old.Generation == policy.Generation && reflect.DeepEqual(old.Spec, policy.Spec) {
		w.policies[key] = policy
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
	w.touchPolicy(key)
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
	w.touchPolicy(key)
	w.policiesByNamespace.remove(key.Namespace, key)
	for _, reference := range references(policy) {
		w.policiesByReference.remove(reference, key)
	}
}

// touchPolicy marks a policy and every workload that it may speak of.
func (w *World) touchPolicy(key Key) {
	w.dirty.Policies[key] = struct{}{}
	for view := range w.viewsByNamespace[key.Namespace] {
		w.dirty.Views[view] = struct{}{}
	}
}

func (w *World) touchPoliciesNaming(reference Reference) {
	for key := range w.policiesByReference[reference] {
		w.dirty.Policies[key] = struct{}{}
	}
}

// Policy gives the MeshPolicy of that name, or nil.
func (w *World) Policy(key Key) *v1alpha1.MeshPolicy { return w.policies[key] }

// Policies gives the names of all MeshPolicies, sorted.
func (w *World) Policies() []Key { return slices.SortedFunc(maps.Keys(w.policies), compareKeys) }

// PoliciesIn gives the MeshPolicies of a namespace, sorted by name.
func (w *World) PoliciesIn(namespace string) []*v1alpha1.MeshPolicy {
	var policies []*v1alpha1.MeshPolicy
	for key := range w.policiesByNamespace[namespace] {
		policies = append(policies, w.policies[key])
	}
	slices.SortFunc(policies, func(a, b *v1alpha1.MeshPolicy) int { return cmp.Compare(a.Name, b.Name) })
	return policies
}
