// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// annotation is the merge patch that sets mesh.openservicemesh.io/<name>, or
// takes it away if value is "".
func annotation(t *testing.T, name, value string) []byte {
	t.Helper()
	var written any
	if value != "" {
		written = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{"mesh.openservicemesh.io/" + name: written},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

// AnnotateNamespace sets the mesh's annotation of that name, or, with "", takes
// it away.
func (c *Cluster) AnnotateNamespace(t *testing.T, namespace, name, value string) {
	t.Helper()
	_, err := c.Core.CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, annotation(t, name, value), metav1.PatchOptions{})
	if err != nil {
		t.Fatalf("annotate namespace %s: %v", namespace, err)
	}
}

// Annotate is AnnotateNamespace for a pod.
func (p *Pod) Annotate(t *testing.T, name, value string) {
	t.Helper()
	_, err := p.cluster.Core.CoreV1().Pods(p.Namespace).Patch(t.Context(), p.Name, types.MergePatchType, annotation(t, name, value), metav1.PatchOptions{})
	if err != nil {
		t.Fatalf("annotate pod %s/%s: %v", p.Namespace, p.Name, err)
	}
}
