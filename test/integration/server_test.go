// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

func TestReadinessCoversEveryPart(t *testing.T) {
	out := kubectl(t, "", "--server=https://198.18.200.2:8443", "--insecure-skip-tls-verify", "get", "--raw", "/readyz?verbose")
	for _, part := range []string{"etcd", "etcd-readiness", "informer-sync", "mesh-informers", "mesh-xds", "mesh-root",
		"mesh-control-plane-certificate", "mesh-signer", "mesh-podcertificate-admission", "mesh-serving-certificate", "shutdown"} {
		if !strings.Contains(out, "[+]"+part+" ok") {
			t.Errorf("readyz does not speak of %s:\n%s", part, out)
		}
	}
	out = kubectl(t, "", "--server=https://198.18.200.2:8443", "--insecure-skip-tls-verify", "get", "--raw", "/livez?verbose")
	for _, part := range []string{"etcd", "mesh-informers", "mesh-xds"} {
		if !strings.Contains(out, "[+]"+part+" ok") {
			t.Errorf("livez does not speak of %s:\n%s", part, out)
		}
	}
}

func TestAggregatorVerifiesTheServer(t *testing.T) {
	out := kubectl(t, "", "get", "apiservice", "v1alpha1.mesh.openservicemesh.io", "-o", "jsonpath={.spec.insecureSkipTLSVerify} {.spec.caBundle}")
	if skip, bundle, _ := strings.Cut(out, " "); skip == "true" || bundle == "" {
		t.Errorf("got insecureSkipTLSVerify %q and caBundle %q, want a caBundle alone", skip, bundle)
	}
}

func TestVersionIsTheMeshs(t *testing.T) {
	out := kubectl(t, "", "--server=https://198.18.200.2:8443", "--insecure-skip-tls-verify", "get", "--raw", "/version")
	if !strings.Contains(out, `"major": "0"`) || !strings.Contains(out, `"minor": "1"`) {
		t.Errorf("got %s, want version 0.1", out)
	}
}

func TestMeshConfigComesBackWithinASecond(t *testing.T) {
	configs := client.MeshV1alpha1().MeshConfigs()
	before, err := configs.Get(t.Context(), v1alpha1.MeshConfigName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "", "patch", "meshconfig", "default", "--type=merge", "-p", `{"spec":{"traffic":{"access":"DefaultDeny"}}}`)
	if err := configs.Delete(t.Context(), v1alpha1.MeshConfigName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Second, true, func(ctx context.Context) (bool, error) {
		after, err := configs.Get(ctx, v1alpha1.MeshConfigName, metav1.GetOptions{})
		return err == nil && after.UID != before.UID && after.Spec.Traffic.Access == v1alpha1.AccessOpen, nil
	})
	if err != nil {
		t.Errorf("no MeshConfig with the defaults: %v", err)
	}
}

func TestMeshConfigIsOneAndHasNoFinalizer(t *testing.T) {
	other := "{apiVersion: mesh.openservicemesh.io/v1alpha1, kind: MeshConfig, metadata: {name: other}}"
	if out, err := kube.Kubectl(t.Context(), other, "create", "-f", "-"); err == nil || !strings.Contains(out, "metadata.name") {
		t.Errorf("second MeshConfig: got %v, want a refusal of metadata.name", err)
	}
	out, err := kube.Kubectl(t.Context(), "", "patch", "meshconfig", "default", "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/keep"]}}`)
	if err == nil || !strings.Contains(out, "metadata.finalizers") {
		t.Errorf("finalizer: got %v, want a refusal of metadata.finalizers", err)
	}
}

func TestPodsOfTheMeshGetAProxy(t *testing.T) {
	namespace := newNamespace(t)
	kubectl(t, "", "label", "namespace", namespace, "mesh.openservicemesh.io/inject=enabled", "pod-security.kubernetes.io/enforce=privileged")
	kubectl(t, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: books}}", "apply", "-n", namespace, "-f", "-")
	off := false
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "bookstore"},
		Spec: corev1.PodSpec{
			ServiceAccountName:           "books",
			AutomountServiceAccountToken: &off,
			Containers:                   []corev1.Container{{Name: "bookstore", Image: "bookstore"}},
		},
	}
	made, err := hostClient(t).CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, container := range made.Spec.InitContainers {
		names = append(names, container.Name)
	}
	if strings.Join(names, " ") != "mesh-init mesh-proxy" {
		t.Errorf("got init containers %v, want mesh-init and mesh-proxy", names)
	}
}
