// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// Policy writes a MeshPolicy whose spec is given in YAML, and waits until every
// proxy that it affects has acknowledged it.
func (c *Cluster) Policy(t *testing.T, namespace, name, spec string) *v1alpha1.MeshPolicy {
	t.Helper()
	policy := c.WritePolicy(t, namespace, name, spec)
	await.State(t, await.Soon, func() (string, bool) {
		current, err := c.Mesh.MeshV1alpha1().MeshPolicies(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		condition := meta.FindStatusCondition(current.Status.Conditions, v1alpha1.ConditionProgrammed)
		if condition == nil {
			return "no condition Programmed yet", false
		}
		return "Programmed: " + condition.Message, condition.Status == metav1.ConditionTrue && condition.ObservedGeneration >= policy.Generation
	})
	return policy
}

// WritePolicy writes a MeshPolicy by server-side apply, and waits for nothing.
func (c *Cluster) WritePolicy(t *testing.T, namespace, name, spec string) *v1alpha1.MeshPolicy {
	t.Helper()
	policy := &v1alpha1.MeshPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "MeshPolicy"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
	if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
		t.Fatalf("read policy %s: %v", name, err)
	}
	data, err := yaml.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	force := true
	written, err := c.Mesh.MeshV1alpha1().MeshPolicies(namespace).Patch(t.Context(), name, types.ApplyYAMLPatchType, data,
		metav1.PatchOptions{FieldManager: ours, Force: &force})
	if err != nil {
		t.Fatalf("write policy %s: %v", name, err)
	}
	return written
}

// Configure merges a change into the MeshConfig, and resets it at the test's end.
func (c *Cluster) Configure(t *testing.T, patch string) {
	t.Helper()
	configs := c.Mesh.MeshV1alpha1().MeshConfigs()
	written, err := configs.Patch(t.Context(), v1alpha1.MeshConfigName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatalf("change the MeshConfig: %v", err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		err := configs.Delete(ctx, v1alpha1.MeshConfigName, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &written.UID}})
		if err != nil && !apierrors.IsConflict(err) {
			t.Errorf("reset the MeshConfig: %v", err)
		}
		await.State(t, await.Soon, func() (string, bool) {
			_, err := configs.Get(ctx, v1alpha1.MeshConfigName, metav1.GetOptions{})
			return fmt.Sprintf("the MeshConfig is not back: %v", err), err == nil
		})
	})
}
