// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// BenchmarkPolicyEdit has 1,000 workloads and 1,000 policies in a namespace,
// each policy for one workload: one edit, against compiling everything.
func BenchmarkPolicyEdit(b *testing.B) {
	const size = 1000
	e := newTestEngine()
	e.setRoots([]byte("-----BEGIN CERTIFICATE-----\nMIIBgDCC\n-----END CERTIFICATE-----\n"))
	for i := range size {
		e.World.SetPod(meshedPod(i))
		worldtest.Set(e.World, policyFor(i, 1))
	}
	e.step(b.Context())
	b.Run("one edit", func(b *testing.B) {
		generation := int64(1)
		for b.Loop() {
			generation++
			worldtest.Set(e.World, policyFor(size/2, generation))
			if out := e.step(b.Context()); len(reports(out)) != 1 {
				b.Fatalf("%d policies were reported on, want 1", len(reports(out)))
			}
		}
	})
	b.Run("everything", func(b *testing.B) {
		for b.Loop() {
			e.TouchAll()
			e.step(b.Context())
		}
	})
}

func meshedPod(i int) *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("pod-", i), UID: types.UID(fmt.Sprint(i)), Labels: map[string]string{"app": fmt.Sprint("app-", i)}},
		Spec: corev1.PodSpec{
			ServiceAccountName: "shop",
			InitContainers:     []corev1.Container{{Name: sidecar.ProxyContainer, RestartPolicy: &always}},
			Volumes: []corev1.Volume{{Name: sidecar.VolumeIdentity, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: sidecar.Signer}}},
			}}}},
			Containers: []corev1.Container{{Name: "app", Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: fmt.Sprintf("198.18.%d.%d", i/250, 1+i%250)}}},
	}
}

func policyFor(i int, generation int64) *v1alpha1.MeshPolicy {
	return &v1alpha1.MeshPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("policy-", i), UID: types.UID(fmt.Sprint(i)), Generation: generation},
		Spec: v1alpha1.MeshPolicySpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprint("app-", i)}},
			Action:   v1alpha1.PolicyActionAllow,
			Rules: []v1alpha1.PolicyRule{{
				Name: fmt.Sprint("g", generation),
				From: []v1alpha1.PolicySource{{Principals: []string{fmt.Sprintf("spiffe://elsewhere/ns/caller-%d/*", generation)}}},
				To:   []v1alpha1.PolicyDestination{{All: &v1alpha1.AllPorts{}}},
			}},
		},
	}
}
