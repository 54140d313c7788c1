// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
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

// callers are the accounts and namespaces that a policy names, of which some may not
// exist.
func callers(policy *intent.Access) []Reference {
	var found []Reference
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
	if _, ok := w.known.Get(nil, reference); !ok {
		w.known.Set(reference, whole{})
	}
}

func (w *World) unlearn(reference Reference) { w.known.Delete(reference) }

// Exists tells whether there is such a Service, account or namespace.
func (r Reader) Exists(reference Reference) bool {
	if reference.Kind == KindService {
		return r.Service(reference.Key) != nil
	}
	_, ok := r.w.known.Get(r.record, reference)
	return ok
}
