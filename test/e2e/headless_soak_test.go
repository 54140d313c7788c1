// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build soak

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

const (
	// endpoints fill five EndpointSlices, of Kubernetes's hundred each.
	endpoints = 500
	// churned is how many of them leave, and come back, in a round.
	churned = 50
)

// One TCP connection is held to a pod behind a headless Service, and one by a
// cluster IP, while the 499 other pods of that Service come and go. They are pods
// of the mesh on a node without a kubelet: only their addresses matter.
func TestSoakFiveHundredHeadlessEndpointsComeAndGoAndCutNoConnection(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	node := nodeWithoutKubelet(t)
	live.Headless(t, shop.Namespace, "pods", "shop")
	live.AwaitEndpoints(t, shop.Namespace, "pods")
	var held []*cluster.Watch
	for _, address := range []string{net.JoinHostPort(shop.IP, "9000"), shop.Echo()} {
		watch := buyer.Hold(t, address, "--for=20m")
		held = append(held, watch)
	}
	await.State(t, 2*drainTime, func() (string, bool) {
		return "something of the caller's drains before the test", buyerStat(t, "_draining") == 0
	})

	// No kubelet would end them, and the namespace would wait for Kubernetes's collector.
	t.Cleanup(func() {
		now := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
		all := metav1.ListOptions{FieldSelector: "spec.nodeName=" + node}
		if err := live.Core.CoreV1().Pods(shop.Namespace).DeleteCollection(context.Background(), now, all); err != nil {
			t.Errorf("delete the pods of %s: %v", node, err)
		}
	})
	for i := range endpoints - 1 {
		standIn(t, shop, node, i)
	}
	wantAddresses(t, shop.Namespace, endpoints)
	for round := range 5 {
		updates := buyerStat(t, "listener_in_place_updated")
		move(t, shop.Namespace, round*churned, "away")
		wantAddresses(t, shop.Namespace, endpoints-churned)
		move(t, shop.Namespace, round*churned, "shop")
		wantAddresses(t, shop.Namespace, endpoints)
		await.State(t, soon, func() (string, bool) {
			return "the caller's listener was not updated in place", buyerStat(t, "listener_in_place_updated") > updates
		})
		if drains := buyerStat(t, "_draining"); drains != 0 {
			t.Errorf("round %d: %v chains or listeners of the caller drain, want none", round, drains)
		}
	}

	// What a change cuts ends within the drain time.
	time.Sleep(drainTime)
	for _, watch := range held {
		for _, connection := range []string{"new", "old"} {
			if got := watch.Outcomes(connection); !slices.Equal(got, []string{"echo"}) {
				t.Errorf("%s connection: %v, want echo alone", connection, got)
			}
		}
	}
}

func buyerStat(t *testing.T, name string) float64 {
	t.Helper()
	stats, err := buyer.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stats.Sum("envoy_listener_manager_", name)
}

// nodeWithoutKubelet is a node of the API alone. By its taint what is deleted there
// goes in the end, though no kubelet ends it, also after a test that was cut short.
func nodeWithoutKubelet(t *testing.T) string {
	t.Helper()
	name := "mesh-e2e-" + utilrand.String(5)
	_, err := live.Core.CoreV1().Nodes().Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: corev1.TaintNodeOutOfService, Value: "none", Effect: corev1.TaintEffectNoExecute}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := live.Core.CoreV1().Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("delete node %s: %v", name, err)
		}
	})
	return name
}

// standIn makes one more pod behind the shop's Services that has an address, and
// runs nowhere. It is not ready, so that no cluster IP leads to it.
func standIn(t *testing.T, shop *cluster.Shop, node string, number int) {
	t.Helper()
	manifest := cluster.Manifest(shop.Namespace, fmt.Sprint("stand-in-", number), cluster.Container("app", "reflect"))
	manifest.Labels["app"] = "shop"
	manifest.Spec.ServiceAccountName = shop.Account
	manifest.Spec.NodeName = node
	manifest.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	pods := live.Core.CoreV1().Pods(shop.Namespace)
	pod, err := pods.Create(t.Context(), manifest, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// The upper half of the cluster's pod addresses, which its node comes to last.
	address := fmt.Sprintf("198.18.%d.%d", 100+number/200, 1+number%200)
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}}}
	if _, err := pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// move gives stand-ins from this number on another label, by which the shop's
// Services select their pods.
func move(t *testing.T, namespace string, from int, app string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{"app": app}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < from+churned; i++ {
		_, err := live.Core.CoreV1().Pods(namespace).Patch(t.Context(), fmt.Sprint("stand-in-", i), types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// wantAddresses waits until the headless Service's slices of IPv4 have so many, a
// hundred each at most.
func wantAddresses(t *testing.T, namespace string, want int) {
	t.Helper()
	await.State(t, soon, func() (string, bool) {
		list, err := live.Core.DiscoveryV1().EndpointSlices(namespace).List(t.Context(), metav1.ListOptions{
			LabelSelector: discoveryv1.LabelServiceName + "=pods",
		})
		if err != nil {
			return err.Error(), false
		}
		got, used := 0, 0
		for _, slice := range list.Items {
			if slice.AddressType == discoveryv1.AddressTypeIPv4 {
				got, used = got+len(slice.Endpoints), used+1
			}
		}
		return fmt.Sprintf("%d addresses in %d slices, want %d", got, used, want), got == want
	})
}
