// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build soak

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// A gate keeps the pod back until the webhook, which made it, is gone with the
// rest of the control plane.
func TestSoakTheAppStartsOnlyAfterItsProxyHasItsConfiguration(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	gated(t, shop, "late")
	started := func() bool {
		pod, err := live.Core.CoreV1().Pods(shop.Namespace).Get(t.Context(), "late", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.State.Waiting == nil })
	}
	withoutControlPlane(t, func() {
		release(t, shop, "late")
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
			if started() {
				t.Fatal("the app has started though its proxy has neither certificate nor configuration")
			}
		}
	})
	await.State(t, 2*backTime, func() (string, bool) { return "the app has not started", started() })
}

func TestSoakPodsAreMadeAgainWhenTheControlPlaneIsBack(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	deploy(t, shop, 1)
	withoutControlPlane(t, func() {
		err := live.Core.CoreV1().Pods(shop.Namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "tier=web"})
		if err != nil {
			t.Fatal(err)
		}
		await.State(t, soon, func() (string, bool) {
			events, err := live.Core.CoreV1().Events(shop.Namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=FailedCreate"})
			if err != nil {
				return err.Error(), false
			}
			return "no event names the mesh's webhook", slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
				return strings.Contains(e.Message, "inject.mesh.openservicemesh.io")
			})
		})
	})
	rolledOut(t, shop, 1)
}

// Callers keep their connections at 100 requests a second while one of the two
// pods behind the Service goes.
func TestSoakAPodIsDeletedUnderLoadWithoutAFailure(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	url := deploy(t, shop, 2)
	load := buyer.Probe(t, "200", url, "--every=10ms", "--for=10m")
	pods := live.Core.CoreV1().Pods(shop.Namespace)
	list, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "tier=web"})
	if err != nil {
		t.Fatal(err)
	}
	gone := list.Items[0].Name
	if err := pods.Delete(t.Context(), gone, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await.State(t, soon, func() (string, bool) {
		_, err := pods.Get(t.Context(), gone, metav1.GetOptions{})
		return gone + " is not gone", err != nil
	})
	wantNoFailure(t, load)
}

func TestSoakARollingUpdateUnderLoadWithoutAFailure(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	url := deploy(t, shop, 2)
	load := buyer.Probe(t, "200", url, "--every=10ms", "--for=10m")
	for i := range 2 {
		patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"generation":"%d"}}}}}`, i)
		_, err := live.Core.AppsV1().Deployments(shop.Namespace).Patch(t.Context(), "web", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rolledOut(t, shop, 2)
	}
	wantNoFailure(t, load)
}

func wantNoFailure(t *testing.T, load *cluster.Watch) {
	t.Helper()
	for _, connection := range []string{"new", "old"} {
		if got := load.Outcomes(connection); !slices.Equal(got, []string{"200"}) {
			t.Errorf("%s connections: got %v, want 200 alone", connection, got)
		}
	}
}

// deploy runs a web server behind the Service that it gives the URL of.
func deploy(t *testing.T, shop *cluster.Shop, replicas int32) string {
	t.Helper()
	manifest := cluster.Manifest(shop.Namespace, "web", cluster.Container("app", "reflect"))
	manifest.Spec.ServiceAccountName = "shop"
	manifest.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
	manifest.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)},
	}}
	labels := map[string]string{"app": "web", "tier": "web"}
	_, err := live.Core.AppsV1().Deployments(shop.Namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: manifest.Spec},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	url := live.Expose(t, &cluster.Pod{Namespace: shop.Namespace, Name: "web"})
	rolledOut(t, shop, replicas)
	wantGet(t, buyer, "200", url)
	return url
}

// rolledOut waits until only pods of the latest template are there, all ready.
func rolledOut(t *testing.T, shop *cluster.Shop, replicas int32) {
	t.Helper()
	await.State(t, 3*time.Minute, func() (string, bool) {
		d, err := live.Core.AppsV1().Deployments(shop.Namespace).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		s := d.Status
		return fmt.Sprintf("%+v", s), s.ObservedGeneration == d.Generation && s.UpdatedReplicas == replicas && s.Replicas == replicas && s.ReadyReplicas == replicas
	})
}

// withoutControlPlane does something while there is no server, then waits until
// it is back.
func withoutControlPlane(t *testing.T, do func()) {
	t.Helper()
	scale := func(ctx context.Context, replicas int) {
		patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
		_, err := live.Core.AppsV1().StatefulSets(cluster.SystemNamespace).Patch(ctx, "mesh-apiserver", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { scale(context.Background(), 1) })
	scale(t.Context(), 0)
	await.State(t, backTime, func() (string, bool) {
		_, err := live.Core.CoreV1().Pods(cluster.SystemNamespace).Get(t.Context(), cluster.ControlPlane, metav1.GetOptions{})
		return "the control plane is not gone", err != nil
	})
	do()
	scale(t.Context(), 1)
	await.State(t, backTime, func() (string, bool) {
		_, ready := live.ServerReady(t.Context())
		return "the control plane is not back", ready
	})
}
