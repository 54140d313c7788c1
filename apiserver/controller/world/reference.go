// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// Reference names something that a policy speaks of.
type Reference struct {
	Kind string
	Key
}

// The kinds of Reference. A Namespace has its name in Key.Name.
const (
	KindService        = "Service"
	KindServiceAccount = "ServiceAccount"
	KindNamespace      = "Namespace"
)

// String gives "ServiceAccount ns/name", or "Namespace name".
func (r Reference) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// references are the things that a policy names, of which some may not exist.
func references(policy *v1alpha1.MeshPolicy) []Reference {
	var found []Reference
	for _, target := range policy.Spec.TargetRefs {
		found = append(found, Reference{Kind: KindService, Key: Key{Namespace: policy.Namespace, Name: target.Name}})
	}
	for i := range policy.Spec.Rules {
		rule := &policy.Spec.Rules[i]
		found = append(found, Callers(policy, rule)...)
		for _, from := range rule.From {
			for _, principal := range from.Principals {
				// Of whatever trust domain: the mesh's own may not be known yet.
				if _, reference, ok := Identified(strings.TrimSuffix(principal, "*")); ok {
					found = append(found, reference)
				}
			}
		}
	}
	return found
}

// Identified gives the account of which a SPIFFE ID of the mesh's form speaks, or
// the namespace in which every ID with this beginning is, and its trust domain;
// false if it speaks of neither alone.
func Identified(id string) (trustDomain string, reference Reference, ok bool) {
	rest, spiffe := strings.CutPrefix(id, "spiffe://")
	trustDomain, path, _ := strings.Cut(rest, "/")
	parts := strings.Split(path, "/")
	if !spiffe || len(parts) < 3 || parts[0] != "ns" || parts[1] == "" {
		return "", Reference{}, false
	}
	if len(parts) > 3 && parts[2] == "sa" && parts[3] != "" {
		return trustDomain, Reference{Kind: KindServiceAccount, Key: Key{Namespace: parts[1], Name: parts[3]}}, true
	}
	return trustDomain, Reference{Kind: KindNamespace, Key: Key{Name: parts[1]}}, true
}

// Callers gives the accounts and namespaces that a rule of a policy names, in
// its order.
func Callers(policy *v1alpha1.MeshPolicy, rule *v1alpha1.PolicyRule) []Reference {
	var found []Reference
	for _, from := range rule.From {
		for _, account := range from.ServiceAccounts {
			found = append(found, Reference{Kind: KindServiceAccount, Key: AccountKey(policy, account)})
		}
		for _, namespace := range from.Namespaces {
			found = append(found, Reference{Kind: KindNamespace, Key: Key{Name: namespace}})
		}
	}
	return found
}

// AccountKey resolves a reference to an account: the policy's own namespace
// unless it names one.
func AccountKey(policy *v1alpha1.MeshPolicy, account v1alpha1.ServiceAccountReference) Key {
	if account.Namespace == "" {
		return Key{Namespace: policy.Namespace, Name: account.Name}
	}
	return Key{Namespace: account.Namespace, Name: account.Name}
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
