// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestTheKubeletMakesTheBootstrapWhole expands the proxy's argument as the kubelet
// does, and wants what a bootstrap with the pod's own values is. What a probe says
// stays as it is, whatever it looks like.
func TestTheKubeletMakesTheBootstrapWhole(t *testing.T) {
	for _, path := range []string{"/healthz", "/price$", "/$$", "/$(PROXY_MEMORY)", "/$(POD_UID)$(x", `/a"max_heap_size_bytes":"1"`} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", LivenessProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(8080)}},
		}}}}}
		proxy := apply(t, pod).Spec.InitContainers[0]
		if proxy.Args[0] != "--config-yaml" {
			t.Fatalf("the first argument is %s", proxy.Args[0])
		}
		want, err := envoy.Bootstrap(envoy.BootstrapParams{
			XDSHost: "mesh-apiserver.mesh-system.svc.cluster.local", XDSPort: sidecar.PortXDS, XDSServerName: "mesh-apiserver.mesh-system.svc",
			MemoryBytes: 134217728,
			Probes:      []envoy.ProbeRoute{{Path: "/probe/app/liveness", Port: 8080, OriginalPath: requestPath(path), Scheme: envoy.ProbeHTTP, Timeout: time.Second}},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := expand(proxy.Args[1], map[string]string{"POD_UID": "0a1b", "PROXY_MEMORY": "134217728"})
		if diff := cmp.Diff(indented(t, want), indented(t, got)); diff != "" {
			t.Errorf("path %s: -want +got:\n%s", path, diff)
		}
	}
}

// expand is what the kubelet does with $(NAME) and $$ in arguments
// (k8s.io/kubernetes/third_party/forked/golang/expansion).
func expand(text string, values map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		switch end := strings.IndexByte(text[i:], ')'); {
		case text[i+1] == '$':
			out.WriteByte('$')
			i++
		case text[i+1] == '(' && end > 0:
			name := text[i+2 : i+end]
			value, ok := values[name]
			if !ok {
				value = "$(" + name + ")"
			}
			out.WriteString(value)
			i += end
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}

func indented(t *testing.T, document string) string {
	t.Helper()
	var content any
	if err := json.Unmarshal([]byte(document), &content); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	out, err := json.MarshalIndent(content, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestProbesThatNoArgumentHoldsAreRefused: Linux would refuse to start the proxy.
func TestProbesThatNoArgumentHoldsAreRefused(t *testing.T) {
	pod := readPod(t, "testdata/nothing-there.in.yaml")
	for i := range 30 {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: fmt.Sprint("c", i), Image: "app", LivenessProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/" + strings.Repeat("x", 5000), Port: intstr.FromInt32(8080)}},
		}})
	}
	if _, err := Patch(pod, bookstore, settings); err == nil || !strings.Contains(err.Error(), "shorten their paths and headers, or have fewer") {
		t.Errorf("error is %v", err)
	}
}

// TestPodsGetUsersOfTheirOwn: the kernel counts a user's inotify instances.
func TestPodsGetUsersOfTheirOwn(t *testing.T) {
	user := func(drawn uint64) int64 {
		changed := settings
		changed.Drawn = drawn
		pod := patched(t, readPod(t, "testdata/plain.in.yaml"), changed)
		return *pod.Spec.InitContainers[0].SecurityContext.RunAsUser
	}
	if user(1) == user(2) {
		t.Errorf("two pods have the user %d", user(1))
	}
	for _, drawn := range []uint64{0, 1<<64 - 1} {
		if !sidecar.IsProxyUID(user(drawn)) {
			t.Errorf("%d gives the user %d, which is not the proxies'", drawn, user(drawn))
		}
	}
	t.Run("but one that the pod has where it has users of its own", func(t *testing.T) {
		const usersOfAPod = 1 << 16 // userNamespaces.idsPerPod of the kubelet, by default
		pod := readPod(t, "testdata/plain.in.yaml")
		pod.Spec.HostUsers = ptr.To(false)
		containers := apply(t, pod).Spec.InitContainers
		if user := *containers[0].SecurityContext.RunAsUser; user >= usersOfAPod {
			t.Errorf("%s runs as user %d", containers[0].Name, user)
		}
		if init := containers[1]; !slices.Contains(init.Args, "--proxy-uid=1337") {
			t.Errorf("%s is told %v", init.Name, init.Args)
		}
	})
	t.Run("and keep it when the webhook is called again", func(t *testing.T) {
		pod := apply(t, readPod(t, "testdata/plain.in.yaml"))
		changed := settings
		changed.Drawn = 77
		if again, err := Patch(pod, bookstore, changed); err != nil || len(again.Operations) != 0 {
			t.Errorf("the second call wants %+v, %v", again.Operations, err)
		}
	})
}

// TestFilesOfTheProxyAreTheMeshs: a pod's author writes annotations, and would
// choose whose control plane the proxy obeys.
func TestFilesOfTheProxyAreTheMeshs(t *testing.T) {
	pod := readPod(t, "testdata/plain.in.yaml")
	pod.Annotations = map[string]string{metadata.ControlPlaneRootsSDSAnnotation: "mine", "example.com/note": "kept"}
	got := apply(t, pod).Annotations
	if !strings.Contains(got[metadata.ControlPlaneRootsSDSAnnotation], sidecar.ControlPlaneRoots) || got["example.com/note"] != "kept" {
		t.Errorf("annotations are %v", got)
	}
}

// TestKeptBootstrapsAreThoseOfThePod makes the pods by turns, so that each one's
// bootstrap is kept while the others are made.
func TestKeptBootstrapsAreThoseOfThePod(t *testing.T) {
	kept := newBootstraps()
	ports := []int32{8080, 8081}
	for range 2 {
		for _, port := range ports {
			for _, namespace := range []string{"mesh-system", "other-system"} {
				settings := Settings{SystemNamespace: namespace, ClusterDomain: "cluster.local"}
				routes := []ProbeRoute{{Container: "app", Kind: "readiness", Port: port, Path: "/ok", Timeout: 1}}
				want, err := bootstrapOf(settings, routes)
				if err != nil {
					t.Fatal(err)
				}
				settings.bootstraps = kept
				if got, err := bootstrapOf(settings, routes); err != nil || got != want {
					t.Errorf("port %d, namespace %s: %v, %s, want %s", port, namespace, err, got, want)
				}
			}
		}
	}
	if got := kept.byParams.Len(); got != 4 {
		t.Errorf("%d bootstraps are kept of 4 that differ", got)
	}
}
