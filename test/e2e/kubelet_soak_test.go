// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build soak

package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// renewalTime bounds what a kubelet needs from its start to renewed certificates
// in the files of its pods, and Envoy to take them up.
const renewalTime = 3 * time.Minute

// A kubelet that starts has forgotten which certificates it asked for, and asks
// for one anew for every pod that it runs.
func TestSoakConnectionsLiveThroughCertificateRenewal(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "callers", `
action: Allow
rules: [{from: [{serviceAccounts: [{namespace: `+buyer.Namespace+`, name: `+buyer.Account+`}]}], to: [{all: {}}]}]
`)
	held := endure(t, shop)
	sent := sentResources(t)
	renewed := renewal(t, shop.Pod, buyer)
	live.RestartKubelet(t)
	renewed()
	time.Sleep(drainTime)
	held.check(t, "certificate renewal")
	for kind, count := range sentResources(t) {
		if count != sent[kind] {
			t.Errorf("the control plane has sent %v resources of type %s for renewed certificates, want none", count-sent[kind], kind)
		}
	}
	wantGet(t, buyer, "200", shop.URL("/books"))
}

// Nobody answers the kubelet's requests for a minute: pods keep the certificates
// that they have, no connection ends, and none is denied one for good.
func TestSoakAKubeletIsRestartedWhileTheControlPlaneIsAway(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	held := endure(t, shop)
	renewed := renewal(t, shop.Pod, buyer)
	before := presented(t, shop.Pod).SerialNumber
	withoutControlPlane(t, func() {
		live.RestartKubelet(t)
		time.Sleep(time.Minute)
		held.check(t, "a minute of a kubelet that nobody answers")
		if presented(t, shop.Pod).SerialNumber.Cmp(before) != 0 {
			t.Error("the pod has a new certificate though nobody signs: the test shows nothing")
		}
	})
	renewed()
	held.check(t, "the control plane's return")
	wantNoneRefused(t, shop.Namespace)
}

// renewal gives a function that waits until each of the pods shows another leaf
// than now.
func renewal(t *testing.T, pods ...*cluster.Pod) func() {
	t.Helper()
	before := map[*cluster.Pod]string{}
	for _, pod := range pods {
		before[pod] = presented(t, pod).SerialNumber.String()
	}
	return func() {
		t.Helper()
		for pod, serial := range before {
			await.State(t, renewalTime, func() (string, bool) {
				return pod.Name + " has no new certificate", presented(t, pod).SerialNumber.String() != serial
			})
		}
	}
}

// sentResources is how many of each type the control plane has sent so far.
// Endpoints are left out: a kubelet that starts calls its pods unready until it
// has probed them.
func sentResources(t *testing.T) map[string]float64 {
	t.Helper()
	metrics, err := live.ServerMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]float64{}
	for _, kind := range []string{"Listener", "RouteConfiguration", "Cluster", "TypedExtensionConfig", "Secret"} {
		sent[kind] = metrics.Sum("mesh_xds_resources_total{", `result="sent"`, fmt.Sprintf(`type="%s"`, kind))
	}
	return sent
}

// wantNoneRefused: a refusal would be final for the pod.
func wantNoneRefused(t *testing.T, namespace string) {
	t.Helper()
	requests, err := live.Core.CertificatesV1().PodCertificateRequests(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range requests.Items {
		for _, condition := range request.Status.Conditions {
			if condition.Type != "Issued" {
				t.Errorf("%s for pod %s is %s: %s", request.Name, request.Spec.PodName, condition.Type, condition.Message)
			}
		}
	}
}
