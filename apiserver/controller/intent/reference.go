// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package intent

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Key names an object by namespace and name.
type Key = types.NamespacedName

// Reference names an object of a kind.
type Reference struct {
	Kind string
	Key
}

// The kinds of the objects that intents name. A Namespace has its name in Key.Name.
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
