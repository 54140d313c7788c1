// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// ours marks the namespaces that tests make.
const ours = "mesh-e2e"

// Namespace makes a namespace e2e-<run>-<name>; in the mesh, if meshed.
func (c *Cluster) Namespace(ctx context.Context, name string, meshed bool) (string, error) {
	labels := map[string]string{ours: c.run}
	if meshed {
		labels["mesh.openservicemesh.io/inject"] = "enabled"
		labels["pod-security.kubernetes.io/enforce"] = "privileged"
	}
	full := fmt.Sprintf("e2e-%s-%s", c.run, name)
	_, err := c.Core.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: full, Labels: labels}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("make namespace %s: %w", full, err)
	}
	return full, nil
}

// Clean deletes every namespace that tests have made, those of an earlier run
// that was cut short included, and waits until they are gone.
func (c *Cluster) Clean(ctx context.Context) error {
	namespaces := c.Core.CoreV1().Namespaces()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return await.Until(ctx, "the end of the tests' namespaces", func(ctx context.Context) error {
		list, err := namespaces.List(ctx, metav1.ListOptions{LabelSelector: ours})
		if err != nil {
			return await.Never(fmt.Errorf("list namespaces: %w", err))
		}
		for _, namespace := range list.Items {
			if namespace.DeletionTimestamp != nil {
				continue
			}
			if err := namespaces.Delete(ctx, namespace.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return await.Never(fmt.Errorf("delete namespace %s: %w", namespace.Name, err))
			}
		}
		if len(list.Items) > 0 {
			return fmt.Errorf("%d are left", len(list.Items))
		}
		return nil
	})
}

// Settle waits until the namespaces of tests that have ended are gone.
func (c *Cluster) Settle(t *testing.T) {
	t.Helper()
	await.State(t, 5*time.Minute, func() (string, bool) {
		list, err := c.Core.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{LabelSelector: ours})
		if err != nil {
			return err.Error(), false
		}
		for _, namespace := range list.Items {
			if namespace.DeletionTimestamp != nil {
				return namespace.Name + " is not gone", false
			}
		}
		return "", true
	})
}
