// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// Live reads of Namespaces in a second, and at once. The informer is
// milliseconds behind, so few are needed; but whoever reaches the webhook's port
// can name what is not there.
const (
	liveNamespacesRate  = 10
	liveNamespacesBurst = 20
)

// namespaces knows the labels of Namespaces.
type namespaces struct {
	lister corelisters.NamespaceLister
	live   func(ctx context.Context, name string) (*corev1.Namespace, error)
	limit  *rate.Limiter
}

func newNamespaces(c *clients) *namespaces {
	return &namespaces{
		lister: c.hostInformers.Core().V1().Namespaces().Lister(),
		live: func(ctx context.Context, name string) (*corev1.Namespace, error) {
			return c.host.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		},
		limit: rate.NewLimiter(liveNamespacesRate, liveNamespacesBurst),
	}
}

// labels asks the API server where the informer has no answer: a pod may come
// right after its namespace. Beyond the limit such a pod is to be made again.
func (n *namespaces) labels(ctx context.Context, name string) (map[string]string, error) {
	namespace, err := n.lister.Get(name)
	if apierrors.IsNotFound(err) {
		if !n.limit.Allow() {
			return nil, fmt.Errorf("namespace %q is not known yet, and too many such are asked for: try again", name)
		}
		namespace, err = n.live(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	return namespace.Labels, nil
}
