// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// Reference names something that a policy speaks of.
type Reference = intent.Reference

// The kinds of Reference. A Namespace has its name in Key.Name.
const (
	KindService        = intent.KindService
	KindServiceAccount = intent.KindServiceAccount
	KindNamespace      = intent.KindNamespace
)

// references are the things that a policy names, of which some may not exist.
func references(policy *intent.Access) []Reference {
	found := slices.Clone(policy.Targets)
	for i := range policy.Rules {
		rule := &policy.Rules[i]
		found = append(found, rule.Callers()...)
		for _, from := range rule.From {
			for _, principal := range from.Principals {
				// Of whatever trust domain: the mesh's own may not be known yet.
				if _, reference, ok := intent.Identified(principal.ID); ok {
					found = append(found, reference)
				}
			}
		}
	}
	return found
}

// SetServiceAccount takes in that an account exists.
func (w *World) SetServiceAccount(account *corev1.ServiceAccount) {
	w.learn(Reference{Kind: KindServiceAccount, Key: keyOf(account)})
}

// DeleteServiceAccount takes in that an account exists no more.
func (w *World) DeleteServiceAccount(key Key) {
	w.unlearn(Reference{Kind: KindServiceAccount, Key: key})
}

// SetNamespace takes in that a namespace exists.
func (w *World) SetNamespace(namespace *corev1.Namespace) {
	w.learn(Reference{Kind: KindNamespace, Key: keyOf(namespace)})
	w.setVisibility(namespace.Name, newVisibility(namespace))
	w.setNamespaceTraffic(namespace.Name, namespaceTraffic{
		uid:         string(namespace.UID),
		annotations: annotationsOf(namespace, metadata.NamespaceTrafficAnnotations),
		unknown:     metadata.UnknownOfNamespace(namespace.Labels, namespace.Annotations),
	})
}

// DeleteNamespace takes in that a namespace exists no more.
func (w *World) DeleteNamespace(key Key) {
	w.unlearn(Reference{Kind: KindNamespace, Key: key})
	w.setVisibility(key.Name, visibility{})
	w.setNamespaceTraffic(key.Name, namespaceTraffic{})
}

func (w *World) learn(reference Reference) {
	if _, ok := w.known[reference]; !ok {
		w.known[reference] = struct{}{}
		w.touchPoliciesAdmitting(reference)
	}
}

func (w *World) unlearn(reference Reference) {
	if _, ok := w.known[reference]; ok {
		delete(w.known, reference)
		w.touchPoliciesAdmitting(reference)
	}
}

// Exists tells whether there is such a Service, account or namespace.
func (w *World) Exists(reference Reference) bool {
	if reference.Kind == KindService {
		return w.services[reference.Key] != nil
	}
	_, ok := w.known[reference]
	return ok
}
