// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"testing"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

func TestNamesThatAreNotThereCostFewLiveReads(t *testing.T) {
	known := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	if err := known.Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "old", Labels: map[string]string{"age": "old"}}}); err != nil {
		t.Fatal(err)
	}
	reads := 0
	n := &namespaces{
		lister: corelisters.NewNamespaceLister(known),
		live: func(_ context.Context, name string) (*corev1.Namespace, error) {
			reads++
			if name != "new" {
				return nil, apierrors.NewNotFound(corev1.Resource("namespaces"), name)
			}
			return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "new", Labels: map[string]string{"age": "new"}}}, nil
		},
		limit: rate.NewLimiter(0, 3),
	}
	if labels, err := n.labels(t.Context(), "new"); err != nil || labels["age"] != "new" {
		t.Errorf("a namespace that the informer has not seen: %v, %v", labels, err)
	}
	for range 100 {
		if _, err := n.labels(t.Context(), "none"); err == nil {
			t.Fatal("a namespace that is not there has labels")
		}
	}
	if reads != 3 {
		t.Errorf("%d live reads, want 3", reads)
	}
	if labels, err := n.labels(t.Context(), "old"); err != nil || labels["age"] != "old" {
		t.Errorf("beyond the limit, a namespace that the informer has seen: %v, %v", labels, err)
	}
}
