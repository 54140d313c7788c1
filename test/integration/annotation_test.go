// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

func TestAnAnnotationThatDoesNotParseHasAnEventAndAMetric(t *testing.T) {
	namespace := newNamespace(t)
	patch := []byte(`{"metadata":{"annotations":{"mesh.openservicemesh.io/mtls":"permissive"}}}`)
	if _, err := host.CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	await.Eventually(t, soon, "an Event on the Namespace", func(ctx context.Context) error {
		events, err := host.EventsV1().Events(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Regarding.Kind == "Namespace" && event.Regarding.Name == namespace && strings.Contains(event.Note, "it counts as Strict") {
				return nil
			}
		}
		return fmt.Errorf("none of %d", len(events.Items))
	})
	await.Eventually(t, soon, "a metric saying so", shows(`mesh_controller_wrong_annotations{kind="Namespace"} 1`))
}
