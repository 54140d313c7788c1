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
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
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
	if old, _ := w.visibilities.Get(nil, namespace); old == v {
		return
	}
	if v == (visibility{}) {
		w.visibilities.Delete(namespace)
	} else {
		w.visibilities.Set(namespace, v)
	}
}

// OnVisibility has f called when a Namespace is in the mesh or says who sees it, or does
// so no longer.
func (w *World) OnVisibility(f func(namespace string)) { w.visibilities.OnKey(f) }

// VisibilityOf gives the annotation of a Namespace; false if it has none.
func (r Reader) VisibilityOf(namespace string) (string, bool) {
	v, _ := r.w.visibilities.Get(r.record, namespace)
	return v.value, v.annotated
}

// Speaks tells whether a Namespace is in the mesh, or says something of traffic or of who
// sees it.
func (r Reader) Speaks(namespace string) bool {
	_, visible := r.w.visibilities.Get(r.record, namespace)
	_, traffic := r.w.traffic.Get(r.record, namespace)
	return visible || traffic
}

// audience is who sees a namespace beside itself: the whole mesh, or these namespaces,
// with commas between.
type audience struct {
	mesh       bool
	namespaces string
}

func (a audience) has(namespace string) bool {
	for one := range strings.SplitSeq(a.namespaces, ",") {
		if one == namespace {
			return true
		}
	}
	return false
}

var audiences = NewDerived(0, func(r Reader, namespace string) audience {
	v, _ := r.w.visibilities.Get(r.record, namespace)
	if v.annotated {
		mesh, namespaces, _ := ParseVisibility(v.value)
		return audience{mesh, strings.Join(namespaces, ",")}
	}
	return audience{mesh: !v.meshed || !r.Settings().HideNamespaces()}
}, func(a, b audience) bool { return a == b })

// Restricted tells whether a namespace is not visible to the whole mesh.
func (r Reader) Restricted(namespace string) bool { return !audiences.Of(r, namespace).mesh }

// restricted are the namespaces that are not visible to the whole mesh, sorted.
var restricted = NewDerived(1, func(r Reader, _ whole) []string {
	var names []string
	for _, namespace := range r.w.visible.Of(r.record, whole{}) {
		if r.Restricted(namespace) {
			names = append(names, namespace)
		}
	}
	slices.Sort(names)
	return names
}, slices.Equal[[]string])

// Hidden gives the namespaces that are not visible to the pods of another one,
// sorted.
func (r Reader) Hidden(from string) []string {
	_, hidden := r.outlook(from)
	return hidden
}

// outlook divides the restricted namespaces into those that a namespace sees
// and those that it does not.
func (r Reader) outlook(of string) (seen, hidden []string) {
	for _, namespace := range restricted.Of(r, whole{}) {
		if namespace == of || audiences.Of(r, namespace).has(of) {
			seen = append(seen, namespace)
		} else {
			hidden = append(hidden, namespace)
		}
	}
	return seen, hidden
}

// outlooks are what is hidden from the namespaces that have meshed pods, by the name of
// their view.
var outlooks = NewDerived(2, func(r Reader, _ whole) map[string][]string {
	found := map[string][]string{"": nil}
	for _, namespace := range r.w.namespacesMeshed.Of(r.record, whole{}) {
		hidden := r.Hidden(namespace)
		found[OutlookView(hidden)] = hidden
	}
	return found
}, func(a, b map[string][]string) bool { return maps.EqualFunc(a, b, slices.Equal[[]string]) })

// Outlook gives what is hidden from the proxies of a view that OutlookView names; false
// if there are none. Those from which the same is hidden share a view; that of those
// from which nothing is hidden is "", and always there.
func (r Reader) Outlook(view string) (hidden []string, ok bool) {
	hidden, ok = outlooks.Of(r, whole{})[view]
	return hidden, ok
}

// OnOutlook has f called when a view of Outlook may have come or gone.
func (w *World) OnOutlook(f func(view string)) {
	var before map[string][]string
	w.graph.Observe(UnitRank-1, func(record *graph.Recorder) {
		now := outlooks.Of(w.Recording(record), whole{})
		for _, views := range []map[string][]string{before, now} {
			for view := range views {
				_, was := before[view]
				if _, is := now[view]; is != was {
					f(view)
				}
			}
		}
		before = now
	})
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

// Sees tells whether the pods of a namespace see the Services of another.
func (r Reader) Sees(from, namespace string) bool {
	audience := audiences.Of(r, namespace)
	return from == namespace || audience.mesh || audience.has(from)
}

// NamespaceView names the view of all proxies that see a namespace, "" if that
// is the whole mesh.
func (r Reader) NamespaceView(namespace string) string {
	if !r.Restricted(namespace) {
		return ""
	}
	return "namespace/" + namespace
}

// shared are the views that the proxies of a namespace share, the most specific first:
// of their own namespace, which callers' routes are in, of the namespaces that they
// see, of what is hidden from them, and of the whole mesh.
var shared = NewDerived(3, func(r Reader, namespace string) []string {
	seen, hidden := r.outlook(namespace)
	views := []string{model.ConsumerView(namespace)}
	for _, other := range seen {
		views = append(views, r.NamespaceView(other))
	}
	if view := OutlookView(hidden); view != "" {
		views = append(views, view)
	}
	return append(views, "")
}, slices.Equal[[]string])
