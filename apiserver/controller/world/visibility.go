// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// visibility is what is read of a Namespace about who sees it.
type visibility struct {
	// meshed namespaces have MeshConfig's visibility unless they say otherwise;
	// the others are visible to the whole mesh.
	meshed bool
	// annotated is true if the Namespace says otherwise: value.
	annotated bool
	value     string
}

func newVisibility(namespace *corev1.Namespace) visibility {
	value, annotated := namespace.Annotations[metadata.VisibilityAnnotation]
	return visibility{
		meshed:    namespace.Labels[metadata.InjectLabel] == metadata.InjectEnabled,
		annotated: annotated,
		value:     value,
	}
}

// ParseVisibility reads the annotation of a Namespace: "Mesh", "Namespace", or
// the names of other namespaces, with commas between. What does not parse means
// the own namespace alone.
func ParseVisibility(value string) (mesh bool, namespaces []string, parsed bool) {
	switch v1alpha1.VisibilityMode(value) {
	case v1alpha1.VisibilityMesh:
		return true, nil, true
	case v1alpha1.VisibilityNamespace:
		return false, nil, true
	}
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if len(validation.IsDNS1123Label(name)) > 0 {
			return false, nil, false
		}
		namespaces = append(namespaces, name)
	}
	return false, namespaces, true
}

// setVisibility takes in what a Namespace says of who sees it.
func (w *World) setVisibility(namespace string, v visibility) {
	if w.visibilities[namespace] == v {
		return
	}
	if w.visibilities[namespace].meshed != v.meshed {
		w.touchMakersIn(namespace)
	}
	mesh, audience := w.audience(namespace)
	w.visibilities[namespace] = v
	if v == (visibility{}) {
		delete(w.visibilities, namespace)
	}
	w.restrictedNames = nil
	w.dirty.Namespaces[namespace] = struct{}{}
	if nowMesh, now := w.audience(namespace); nowMesh == mesh && slices.Equal(now, audience) {
		return
	}
	w.dirty.Addresses = true
	for key := range w.servicesByNamespace[namespace] {
		w.dirty.Services[key] = struct{}{}
	}
	for account := range w.podsByAccount {
		if account.Namespace == namespace {
			w.dirty.Accounts[account] = struct{}{}
		}
	}
	for _, id := range w.Proxies() {
		w.dirty.Proxies[id] = struct{}{}
	}
}

// VisibilityOf gives the annotation of a Namespace; false if it has none.
func (w *World) VisibilityOf(namespace string) (string, bool) {
	v := w.visibilities[namespace]
	return v.value, v.annotated
}

// audience gives who sees a namespace beside itself.
func (w *World) audience(namespace string) (mesh bool, namespaces []string) {
	v := w.visibilities[namespace]
	if v.annotated {
		mesh, namespaces, _ = ParseVisibility(v.value)
		return mesh, namespaces
	}
	return !v.meshed || !w.Settings().HideNamespaces, nil
}

// Restricted tells whether a namespace is not visible to the whole mesh.
func (w *World) Restricted(namespace string) bool {
	mesh, _ := w.audience(namespace)
	return !mesh
}

// restricted gives the namespaces that are not visible to the whole mesh, sorted.
func (w *World) restricted() []string {
	if w.restrictedNames != nil {
		return w.restrictedNames
	}
	w.restrictedNames = []string{}
	for namespace := range w.visibilities {
		if w.Restricted(namespace) {
			w.restrictedNames = append(w.restrictedNames, namespace)
		}
	}
	slices.Sort(w.restrictedNames)
	return w.restrictedNames
}

// Hidden gives the namespaces that are not visible to the pods of another one,
// sorted.
func (w *World) Hidden(from string) []string {
	_, hidden := w.outlook(from)
	return hidden
}

// outlook divides the restricted namespaces into those that a namespace sees
// and those that it does not.
func (w *World) outlook(of string) (seen, hidden []string) {
	for _, namespace := range w.restricted() {
		if _, audience := w.audience(namespace); namespace == of || slices.Contains(audience, of) {
			seen = append(seen, namespace)
		} else {
			hidden = append(hidden, namespace)
		}
	}
	return seen, hidden
}

// Outlooks gives, by the name of their view, what is hidden from the namespaces
// that have meshed pods. Those from which the same is hidden share a view; that
// of those from which nothing is hidden is "".
func (w *World) Outlooks() map[string][]string {
	outlooks := map[string][]string{"": nil}
	seen := map[string]struct{}{}
	for account := range w.podsByAccount {
		if _, done := seen[account.Namespace]; done {
			continue
		}
		seen[account.Namespace] = struct{}{}
		hidden := w.Hidden(account.Namespace)
		outlooks[OutlookView(hidden)] = hidden
	}
	return outlooks
}

// OutlookView names the view of all proxies from which the same namespaces are
// hidden: a hash of their names, "" if there are none.
func OutlookView(hidden []string) string {
	if len(hidden) == 0 {
		return ""
	}
	h := sha256.New()
	write(h, hidden...)
	return "hidden/" + hex.EncodeToString(h.Sum(nil)[:16])
}

// NamespaceView names the view of all proxies that see a namespace, "" if that
// is the whole mesh.
func (w *World) NamespaceView(namespace string) string {
	if !w.Restricted(namespace) {
		return ""
	}
	return "namespace/" + namespace
}

// shared gives the views that the proxies of a namespace share, the most specific
// first: of their own namespace, which callers' routes are in, of the namespaces that
// they see, of what is hidden from them, and of the whole mesh.
func (w *World) shared(namespace string) []string {
	seen, hidden := w.outlook(namespace)
	views := []string{model.ConsumerView(namespace)}
	for _, other := range seen {
		views = append(views, w.NamespaceView(other))
	}
	if view := OutlookView(hidden); view != "" {
		views = append(views, view)
	}
	return append(views, "")
}

// Namespaces gives those of which anything is known about who sees them, sorted.
func (w *World) Namespaces() []string { return slices.Sorted(maps.Keys(w.visibilities)) }

// ServicesIn gives the names of a namespace's Services, sorted.
func (w *World) ServicesIn(namespace string) []Key {
	return slices.SortedFunc(maps.Keys(w.servicesByNamespace[namespace]), compareKeys)
}
