// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// The pod is made anew from what the API server had of it, when its proxy is to be
// another one: the annotation stands for whatever may have changed meanwhile.
func TestARestoredPodRunsWithTodaysProxy(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	pods := live.Core.CoreV1().Pods(shop.Namespace)
	app := cluster.Container("app", "store", "--listen=:8080")
	app.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)},
	}}
	app.LivenessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}}}
	manifest := cluster.Manifest(shop.Namespace, "restored", app)
	manifest.Annotations = map[string]string{"mesh.openservicemesh.io/proxy-log-level": "info", "mesh.openservicemesh.io/proxy-concurrency": "3"}
	if _, err := live.Start(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	backup, err := pods.Get(t.Context(), "restored", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := pods.Delete(t.Context(), "restored", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](1)}); err != nil {
		t.Fatal(err)
	}
	await.State(t, soon, func() (string, bool) {
		_, err := pods.Get(t.Context(), "restored", metav1.GetOptions{})
		return "the pod is still there", err != nil
	})
	// Start makes the account as well.
	if err := live.Core.CoreV1().ServiceAccounts(shop.Namespace).Delete(t.Context(), "restored", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	backup.ResourceVersion, backup.UID = "", ""
	delete(backup.Annotations, "mesh.openservicemesh.io/proxy-concurrency")
	if _, err := live.Start(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	restored, err := pods.Get(t.Context(), "restored", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if args := strings.Join(restored.Spec.InitContainers[0].Args, " "); !strings.Contains(args, "--concurrency 2 ") {
		t.Errorf("the proxy has the arguments of the backup: %s", args)
	}
}

// Quotas, LimitRanges and classes of service are the real cluster's.
func TestAMeshedPodRunsWhereANamespaceBoundsItsContainers(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	_, err := live.Core.CoreV1().ResourceQuotas(shop.Namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "bounds"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"limits.cpu": resource.MustParse("4"), "limits.memory": resource.MustParse("4Gi")}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = live.Core.CoreV1().LimitRanges(shop.Namespace).Create(t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "bounds"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Min: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("60m")},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	app := cluster.Container("app", "reflect")
	app.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	manifest := cluster.Manifest(shop.Namespace, "bounded", app)
	// The quota controller has to count first, and the server to hear of both.
	trial := manifest.DeepCopy()
	trial.Spec.ServiceAccountName = shop.Account
	await.State(t, soon, func() (string, bool) {
		_, err := live.Core.CoreV1().Pods(shop.Namespace).Create(t.Context(), trial, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return err.Error(), false
		}
		return "", true
	})
	if _, err := live.Start(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	pod, err := live.Core.CoreV1().Pods(shop.Namespace).Get(t.Context(), "bounded", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if pod.Status.QOSClass != corev1.PodQOSGuaranteed {
		t.Errorf("a pod whose own container is Guaranteed is %s", pod.Status.QOSClass)
	}
}

// The warning of admission goes to the DaemonSet's controller.
func TestAControllerIsToldThatItsPodsAreNotInTheMesh(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	labels := map[string]string{"app": "agent"}
	pod := cluster.Manifest(shop.Namespace, "agent", cluster.Container("app", "reflect", "--listen=127.0.0.1:18080", "--grpc=127.0.0.1:18081"))
	pod.Spec.HostNetwork, pod.Spec.ServiceAccountName = true, shop.Account
	pod.Spec.TerminationGracePeriodSeconds = nil
	agent := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "agent"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod.Spec},
		},
	}
	if _, err := live.Core.AppsV1().DaemonSets(shop.Namespace).Create(t.Context(), agent, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await.State(t, soon, func() (string, bool) {
		events, err := live.Core.EventsV1().Events(shop.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err.Error(), false
		}
		for _, event := range events.Items {
			if event.Regarding.Kind == "DaemonSet" && event.Regarding.Name == "agent" && event.Reason == "NotInMesh" {
				return "", strings.Contains(event.Note, "they use the node's network")
			}
		}
		return "no Event NotInMesh about the DaemonSet", false
	})
}
