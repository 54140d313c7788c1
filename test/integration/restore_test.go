// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// probed has a probe of HTTP and one of gRPC, and an annotation about its proxy.
func probed(pod *corev1.Pod) {
	pod.Annotations = map[string]string{"mesh.openservicemesh.io/proxy-concurrency": "3"}
	app := &pod.Spec.Containers[0]
	app.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready?x=$(y)", Port: intstr.FromString("http")}}}
	app.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 9000, Service: ptr.To("shop.Books")}}}
}

// TestPodRestoredFromABackupGetsTodaysProxy: kubectl get -o yaml, and create when
// the mesh's settings have changed.
func TestPodRestoredFromABackupGetsTodaysProxy(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "books")
	newPod(t, namespace, "books", "books", probed)
	backup := kubectl(t, "", "get", "pod", "books", "-n", namespace, "-o", "yaml")
	kubectl(t, "", "delete", "pod", "books", "-n", namespace, "--force", "--grace-period=0")
	setSidecar(t, `{"image":"docker.io/local/envoy:next","logLevel":"info","drainTime":"77s"}`)
	defer kubectl(t, "", "patch", "meshconfig", "default", "--type=merge", "-p", `{"spec":{"sidecar":null}}`)

	var restored *corev1.Pod
	await.Eventually(t, soon, "the pod is restored with today's proxy", func(ctx context.Context) error {
		var err error
		if restored, err = admitted(ctx, namespace, fromBackup(t, backup)); err != nil {
			return err
		}
		proxy := mesh(restored, "mesh-proxy")
		args := strings.Join(proxy.Args, " ")
		if proxy.Image != "docker.io/local/envoy:next" || !strings.Contains(args, "--log-level info") || !strings.Contains(args, "--drain-time-s 77") {
			return fmt.Errorf("image %s, arguments %s", proxy.Image, args)
		}
		return nil
	})
	fresh := podOf("fresh", "books")
	probed(fresh)
	want, err := admitted(t.Context(), namespace, fresh)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mesh-init", "mesh-proxy"} {
		// The user of the proxy is drawn, and an argument names it.
		had, wanted := mesh(restored, name), mesh(want, name)
		drawn := func(arg string) bool { return strings.HasPrefix(arg, "--proxy-uid=") }
		had.Args, wanted.Args = slices.DeleteFunc(had.Args, drawn), slices.DeleteFunc(wanted.Args, drawn)
		if !slices.Equal(had.Args, wanted.Args) {
			t.Errorf("%s has the arguments %q, a pod that is made today has %q", name, had.Args, wanted.Args)
		}
	}
	if got := restored.Spec.Containers[0].ReadinessProbe.HTTPGet; got.Path != "/probe/app/readiness" || got.Port.IntValue() != 15020 {
		t.Errorf("the readiness probe leads to %v", got)
	}
}

func TestKubectlDebugCopiesAMeshedPod(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "books")
	newPod(t, namespace, "books", "books", probed)
	kubectl(t, "", "debug", "books", "-n", namespace, "--copy-to=copied", "--image=busybox", "--share-processes=false", "--attach=false")
	copied, err := host.CoreV1().Pods(namespace).Get(t.Context(), "copied", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Join(mesh(copied, "mesh-proxy").Args, " ")
	if len(copied.Spec.Containers) != 2 || !strings.Contains(args, "--concurrency 2 ") {
		t.Errorf("the copy has %d containers, and its proxy %s; want a debugger more and what MeshConfig says, since annotations are not copied", len(copied.Spec.Containers), args)
	}
	if got := strings.Join(mesh(copied, "mesh-init").Args, " "); strings.Contains(got, "--probe=") {
		t.Errorf("mesh-init of the copy, which has no probes, lets some through: %s", got)
	}
	// Without that flag the copy shares its processes with the proxy.
	out, err := kube.Kubectl(t.Context(), "", "debug", "books", "-n", namespace, "--copy-to=shared", "--image=busybox", "--attach=false", "--share-processes=true")
	if err == nil || !strings.Contains(out+err.Error(), "--share-processes=false") {
		t.Errorf("a copy that shares its processes: got %v %s, want a refusal that names the flag", err, out)
	}
}

// setSidecar changes MeshConfig's settings of proxies.
func setSidecar(t *testing.T, settings string) {
	t.Helper()
	kubectl(t, "", "patch", "meshconfig", "default", "--type=merge", "-p", `{"spec":{"sidecar":`+settings+`}}`)
}

// fromBackup is the pod as a backup's tool makes it anew.
func fromBackup(t *testing.T, backup string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal([]byte(backup), pod); err != nil {
		t.Fatal(err)
	}
	pod.ResourceVersion, pod.UID = "", ""
	return pod
}

// mesh gives a copy of an init container.
func mesh(pod *corev1.Pod, name string) corev1.Container {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == name {
			return *pod.Spec.InitContainers[i].DeepCopy()
		}
	}
	return corev1.Container{}
}
