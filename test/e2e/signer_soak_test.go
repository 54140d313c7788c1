// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build soak

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// signerAway is how long no certificate request is answered.
const signerAway = time.Minute

// The pods' requests are made and stay without an answer for a minute. A denial
// would be final for its pod; there is none, and all of them run in the end.
func TestSoakPodsStartWhenTheSignerIsBack(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	names := []string{"late-0", "late-1", "late-2", "late-3", "late-4"}
	for _, name := range names {
		gated(t, shop, name)
	}
	withoutControlPlane(t, func() {
		for _, name := range names {
			release(t, shop, name)
		}
		await.State(t, soon, func() (string, bool) {
			asked := requests(t, shop.Namespace, names)
			return fmt.Sprintf("%d of %d pods have asked for a certificate", len(asked), len(names)), len(asked) == len(names)
		})
		for deadline := time.Now().Add(signerAway); time.Now().Before(deadline); time.Sleep(time.Second) {
			for pod, request := range requests(t, shop.Namespace, names) {
				if len(request.Status.Conditions) > 0 {
					t.Fatalf("the request of %s was answered though there is no signer: %v", pod, request.Status.Conditions)
				}
			}
		}
	})
	back := time.Now()
	for _, name := range names {
		wantRunning(t, shop.Namespace, name)
	}
	t.Logf("all run %s after the signer's return", time.Since(back).Round(time.Second))
	for pod, request := range requests(t, shop.Namespace, names) {
		for _, condition := range request.Status.Conditions {
			if condition.Type != certificatesv1.PodCertificateRequestConditionTypeIssued {
				t.Errorf("the request of %s is %s: %s", pod, condition.Type, condition.Message)
			}
		}
	}
}

// gated makes a pod of the mesh that is scheduled once it is released: the webhook
// has made it by then, and may be gone.
func gated(t *testing.T, shop *cluster.Shop, name string) {
	t.Helper()
	manifest := cluster.Manifest(shop.Namespace, name, cluster.Container("app", "reflect"))
	manifest.Spec.ServiceAccountName = shop.Account
	manifest.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "mesh-e2e/later"}}
	if _, err := live.Core.CoreV1().Pods(shop.Namespace).Create(t.Context(), manifest, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func release(t *testing.T, shop *cluster.Shop, name string) {
	t.Helper()
	patch := []byte(`[{"op":"remove","path":"/spec/schedulingGates"}]`)
	if _, err := live.Core.CoreV1().Pods(shop.Namespace).Patch(t.Context(), name, types.JSONPatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// requests are the latest certificate requests of these pods, by the pods' names.
func requests(t *testing.T, namespace string, pods []string) map[string]*certificatesv1.PodCertificateRequest {
	t.Helper()
	list, err := live.Core.CertificatesV1().PodCertificateRequests(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	latest := map[string]*certificatesv1.PodCertificateRequest{}
	for i := range list.Items {
		request := &list.Items[i]
		pod := request.Spec.PodName
		if slices.Contains(pods, pod) && (latest[pod] == nil || latest[pod].CreationTimestamp.Before(&request.CreationTimestamp)) {
			latest[pod] = request
		}
	}
	return latest
}

// wantRunning waits for a pod's containers. A kubelet waits as long again as it
// has waited already before it looks for the certificate: 2 min 2 s at most.
func wantRunning(t *testing.T, namespace, name string) {
	t.Helper()
	await.State(t, 2*backTime, func() (string, bool) {
		pod, err := live.Core.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		if pod.Status.Phase == corev1.PodFailed {
			t.Fatalf("%s has failed for good: %s %s", name, pod.Status.Reason, pod.Status.Message)
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.State.Running == nil {
				return name + " does not run: " + status.State.String(), false
			}
		}
		return name + " is " + string(pod.Status.Phase), pod.Status.Phase == corev1.PodRunning
	})
}
