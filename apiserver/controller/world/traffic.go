// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// annotationsOf are those of an object that have one of these names; nil if it has none.
func annotationsOf(object metav1.Object, names []string) map[string]string {
	var found map[string]string
	for _, name := range names {
		value, ok := object.GetAnnotations()[name]
		if !ok {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[name] = value
	}
	return found
}

// namespaceTraffic is what a Namespace says of traffic.
type namespaceTraffic struct {
	uid         string
	annotations map[string]string
	unknown     []string
}

// setNamespaceTraffic takes in the annotations of a Namespace; none if it is gone.
func (w *World) setNamespaceTraffic(namespace string, traffic namespaceTraffic) {
	last, _ := w.traffic.Get(nil, namespace)
	switch {
	case maps.Equal(last.annotations, traffic.annotations) && slices.Equal(last.unknown, traffic.unknown):
	case traffic.annotations == nil && traffic.unknown == nil:
		w.traffic.Delete(namespace)
	default:
		w.traffic.Set(namespace, traffic)
	}
}

// NamespaceTraffic is what annotations of a Namespace say of traffic, by
// annotation; only those of metadata.NamespaceTrafficAnnotations.
func (r Reader) NamespaceTraffic(namespace string) map[string]string {
	traffic, _ := r.w.traffic.Get(r.record, namespace)
	return traffic.annotations
}

// NamespaceUnknown says which labels and annotations of a Namespace do nothing
// (metadata.UnknownOfNamespace).
func (r Reader) NamespaceUnknown(namespace string) []string {
	traffic, _ := r.w.traffic.Get(r.record, namespace)
	return traffic.unknown
}

// NamespaceUID is the UID of a Namespace that NamespaceTraffic or NamespaceUnknown is about.
func (r Reader) NamespaceUID(namespace string) string {
	traffic, _ := r.w.traffic.Get(r.record, namespace)
	return traffic.uid
}

// OnNamespaceTraffic has f called when a Namespace begins or ceases to say something of
// traffic, or to have metadata that do nothing.
func (w *World) OnNamespaceTraffic(f func(namespace string)) { w.traffic.OnKey(f) }
