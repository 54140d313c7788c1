// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

func TestAMeshedPodReachesTheKubernetesAPI(t *testing.T) {
	t.Parallel()
	wantGet(t, buyer, "200", "--insecure", "https://kubernetes.default/livez")
}

func TestAMeshedPodReachesAServiceOutsideTheMesh(t *testing.T) {
	t.Parallel()
	wantGet(t, buyer, "200", live.Expose(t, outsider))
}

// The policy admits the pod's account alone, so a 200 has come by mutual TLS;
// an init container runs before anything else of the pod but the proxy.
func TestAnInitContainerCallsThroughTheMesh(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	manifest := cluster.Manifest(shop.Namespace, "early", cluster.Container("app", "reflect"))
	manifest.Spec.InitContainers = []corev1.Container{cluster.Container("migrate", "get", shop.URL("/books"))}
	live.Policy(t, shop.Namespace, "readers", admit(&cluster.Pod{Namespace: shop.Namespace, Account: "early"}))
	wantGet(t, thief, "403", shop.URL("/books"))
	early, err := live.Start(t.Context(), manifest)
	if err != nil {
		t.Fatal(err)
	}
	said, err := early.Log(t.Context(), "migrate")
	if err != nil || !strings.HasPrefix(said, "200") {
		t.Errorf("the init container's request got %q (%v), want 200", said, err)
	}
}

// What listens on loopback alone stays private, and what listens on the pod's
// own address alone is reached.
func TestAnApplicationIsReachedAtThePodsAddressNeverOnLoopback(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	private, bound := cluster.Container("private", "store", "--listen=127.0.0.1:8095"), cluster.Container("bound", "store", "--listen=$(POD_IP):8096")
	bound.Env = []corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}}
	pod, err := live.Start(t.Context(), cluster.Manifest(shop.Namespace, "listening", private, bound))
	if err != nil {
		t.Fatal(err)
	}
	at := func(host, port string) string { return "http://" + net.JoinHostPort(host, port) + "/healthz" }
	wantGet(t, pod, "200", at("127.0.0.1", "8095"))
	wantGet(t, buyer, "200", at(pod.IP, "8096"))
	for _, caller := range []*cluster.Pod{buyer, pod} {
		if got := caller.Get(t.Context(), at(pod.IP, "8095")); !strings.HasPrefix(got, "no answer") {
			t.Errorf("%s: a port on loopback alone answers %s at the pod's address", caller.Name, got)
		}
	}
}
