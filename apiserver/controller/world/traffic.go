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
	last := w.traffic[namespace]
	same := maps.Equal(last.annotations, traffic.annotations)
	if same && slices.Equal(last.unknown, traffic.unknown) {
		return
	}
	if traffic.annotations == nil && traffic.unknown == nil {
		delete(w.traffic, namespace)
	} else {
		w.traffic[namespace] = traffic
	}
	w.dirty.Namespaces[namespace] = struct{}{}
	if same {
		return
	}
	for view := range w.viewsByNamespace[namespace] {
		w.dirty.Views[view] = struct{}{}
	}
	w.touchCalled(namespace)
}

// NamespaceTraffic is what annotations of a Namespace say of traffic, by
// annotation; only those of model.NamespaceTrafficAnnotations.
func (w *World) NamespaceTraffic(namespace string) map[string]string {
	return w.traffic[namespace].annotations
}

// NamespaceUnknown says which labels and annotations of a Namespace do nothing
// (model.UnknownOfNamespace).
func (w *World) NamespaceUnknown(namespace string) []string { return w.traffic[namespace].unknown }

// NamespaceUID is the UID of a Namespace that NamespaceTraffic or NamespaceUnknown is about.
func (w *World) NamespaceUID(namespace string) string { return w.traffic[namespace].uid }

// PodsIn gives the pods that belong to a view, sorted by name.
func (w *World) PodsIn(view string) []*Pod {
	var pods []*Pod
	for _, key := range slices.SortedFunc(maps.Keys(w.podsByView[view]), compareKeys) {
		pods = append(pods, w.pods[key])
	}
	return pods
}
