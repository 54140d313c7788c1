// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// On a host without PodCertificateRequest v1 the server serves its API, and
// injection is refused with that sentence.
func TestHostWithoutPodIdentityServesTheAPIAndRefusesInjection(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*startTime)
	defer cancel()
	older, err := kube.WithoutPodIdentity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, older.Stop) })
	// Installed means ready, by /readyz, and available to the aggregator.
	mesh, err := harness.Install(ctx, older, harness.SecondAddress)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, mesh.Kill) })
	olderKubectl := func(stdin string, args ...string) {
		t.Helper()
		if _, err := older.Kubectl(ctx, stdin, args...); err != nil {
			t.Fatal(err)
		}
	}
	olderKubectl(`
apiVersion: v1
kind: Namespace
metadata: {name: books, labels: {mesh.openservicemesh.io/inject: enabled}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: app, namespace: books}
---
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshPolicy
metadata: {name: readers, namespace: books}
spec:
  action: Allow
  rules: [{from: [{authenticated: {}}], to: [{all: {}}]}]
`, "apply", "-f", "-")
	olderKubectl("", "get", "meshpolicies", "readers", "-n", "books")

	core, err := kubernetes.NewForConfig(older.Admin)
	if err != nil {
		t.Fatal(err)
	}
	off := false
	pod := func(label string) error {
		_, err := core.CoreV1().Pods("books").Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: label, Labels: map[string]string{"mesh.openservicemesh.io/inject": label}},
			Spec: corev1.PodSpec{ServiceAccountName: "app", AutomountServiceAccountToken: &off,
				Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		}, metav1.CreateOptions{})
		return err
	}
	if err := pod("enabled"); err == nil || !strings.Contains(err.Error(), "does not serve PodCertificateRequest in certificates.k8s.io/v1") {
		t.Errorf("a pod of the mesh: got %v, want the sentence that names PodCertificateRequest", err)
	}
	if err := pod("disabled"); err != nil {
		t.Errorf("a pod that is none of the mesh: %v", err)
	}
}

func stopped(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	if err := stop(context.Background()); err != nil {
		t.Error(err)
	}
}
