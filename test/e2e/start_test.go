// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

func TestTheAppWaitsWhileItsProxyHasNoConfiguration(t *testing.T) {
	t.Parallel()
	withholdConfiguration(t, 20*time.Second)
}

// withholdConfiguration starts pods whose proxies look for the control plane at a
// Service that leads nowhere, for a while. Their certificates come by the kubelet.
func withholdConfiguration(t *testing.T, during time.Duration) {
	shop := live.Shop(t)
	apply(t, shop.Namespace, `
apiVersion: v1
kind: Service
metadata: {name: withheld}
spec: {ports: [{port: 15012}]}
`)
	service, err := live.Core.CoreV1().Services(shop.Namespace).Get(t.Context(), "withheld", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods := live.Core.CoreV1().Pods(shop.Namespace)
	for _, name := range []string{"late", "never"} {
		manifest := cluster.Manifest(shop.Namespace, name, cluster.Container("app", "reflect"))
		manifest.Spec.ServiceAccountName = "shop"
		manifest.Spec.HostAliases = []corev1.HostAlias{{IP: service.Spec.ClusterIP, Hostnames: []string{"mesh-apiserver.mesh-system.svc.cluster.local"}}}
		if _, err := pods.Create(t.Context(), manifest, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"late", "never"} {
		// Between two lines of mesh-init up to a minute passes.
		await.State(t, 2*soon, func() (string, bool) {
			said, err := pods.GetLogs(name, &corev1.PodLogOptions{Container: "mesh-init"}).DoRaw(t.Context())
			return fmt.Sprintf("mesh-init says %q (%v)", said, err), strings.Contains(string(said), "the application waits: it has not heard from the control plane")
		})
	}
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(time.Second) {
		if status := appStatus(t, shop.Namespace, "late"); status.State.Waiting == nil {
			t.Fatalf("the app has started though its proxy has no configuration: %s", status.State.String())
		}
	}
	if err := pods.Delete(t.Context(), "never", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await.State(t, soon, func() (string, bool) {
		_, err := pods.Get(t.Context(), "never", metav1.GetOptions{})
		return "the pod is not gone", apierrors.IsNotFound(err)
	})

	server, err := live.Core.CoreV1().Pods(cluster.SystemNamespace).Get(t.Context(), cluster.ControlPlane, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, shop.Namespace, `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: withheld, labels: {kubernetes.io/service-name: withheld}}
addressType: IPv4
ports: [{name: "", port: 15012, protocol: TCP}]
endpoints: [{addresses: ["`+server.Status.PodIP+`"]}]
`)
	// Envoy asks again after 30 s at the latest.
	await.State(t, 2*soon, func() (string, bool) {
		return "the app has not started", appStatus(t, shop.Namespace, "late").State.Running != nil
	})
	wantNetAdminGone(t, shop.Namespace, "late")
}

// TestAPodWithUsersAndGroupsOfItsOwnStarts: the kubelet gives files of volumes to
// the fsGroup, and the proxy has its certificate and its socket in such.
func TestAPodWithUsersAndGroupsOfItsOwnStarts(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	for name, security := range map[string]corev1.PodSecurityContext{
		"grouped":  {RunAsUser: ptr.To[int64](1000), RunAsGroup: ptr.To[int64](1000), RunAsNonRoot: ptr.To(true), FSGroup: ptr.To[int64](2000), SupplementalGroups: []int64{3000}},
		"fs-group": {FSGroup: ptr.To[int64](2000)},
		"one-user": {RunAsUser: ptr.To[int64](1000)},
	} {
		manifest := cluster.Manifest(shop.Namespace, name, cluster.Container("app", "reflect"))
		manifest.Spec.SecurityContext = &security
		pod, err := live.Start(t.Context(), manifest)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantGet(t, pod, "200", shop.URL("/"))
	}
}

func appStatus(t *testing.T, namespace, pod string) corev1.ContainerStatus {
	t.Helper()
	got, err := live.Core.CoreV1().Pods(namespace).Get(t.Context(), pod, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Status.ContainerStatuses) == 0 {
		return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}
	}
	return got.Status.ContainerStatuses[0]
}

// wantNetAdminGone: whoever may exec into a container that can edit the rules
// could lead the pod's traffic past its proxy.
func wantNetAdminGone(t *testing.T, namespace, name string) {
	t.Helper()
	pod, err := live.Core.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if c.SecurityContext == nil || c.SecurityContext.Capabilities == nil || !slices.Contains(c.SecurityContext.Capabilities.Add, "NET_ADMIN") {
			continue
		}
		ended := slices.ContainsFunc(pod.Status.InitContainerStatuses, func(s corev1.ContainerStatus) bool {
			return s.Name == c.Name && s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
		})
		if c.RestartPolicy != nil || !ended {
			t.Errorf("%s, which has NET_ADMIN, has not ended for good", c.Name)
		}
		if out, err := live.Kubectl(t.Context(), "", "exec", "-n", namespace, name, "-c", c.Name, "--", "mesh-helper"); err == nil || !strings.Contains(err.Error()+out, "container not found") {
			t.Errorf("exec into %s: %v: %s", c.Name, err, out)
		}
	}
}
