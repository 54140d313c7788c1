// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// renewed are settings that differ in all that a pod shows of them.
func renewed() Settings {
	s := settings
	s.InitImage, s.ProxyImage = "docker.io/local/mesh-apiserver:next", "docker.io/local/envoy:next"
	s.Resources = corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("75m")}}
	s.LogLevel, s.Concurrency = "info", 4
	s.DrainTime, s.TerminationDrain, s.CertificateLifetime = time.Minute, time.Minute, 2*time.Hour
	return s
}

// TestPodFromABackupBecomesWhatItsManifestBecomes: kubectl get -o yaml, and create
// when the mesh has changed.
func TestPodFromABackupBecomesWhatItsManifestBecomes(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no pods: %v", err)
	}
	for _, input := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(input), ".in.yaml"), func(t *testing.T) {
			backup := apply(t, readPod(t, input))
			// What the API server has added, and the kubelet reported.
			for i := range backup.Spec.InitContainers {
				backup.Spec.InitContainers[i].TerminationMessagePath = corev1.TerminationMessagePathDefault
				backup.Spec.InitContainers[i].ImagePullPolicy = corev1.PullIfNotPresent
			}
			for _, c := range backup.Spec.InitContainers {
				if c.Name == sidecar.ProxyContainer {
					c.ReadinessProbe.HTTPGet.Protocol = new(corev1.HTTPProtocol)
					*c.ReadinessProbe.HTTPGet.Protocol = corev1.HTTPProtocolHTTP1
				}
			}
			backup.Status.Phase = corev1.PodRunning
			restored := patched(t, backup, renewed())
			want := patched(t, readPod(t, input), renewed())
			// Of the others the API server's words stay.
			for i := range want.Spec.InitContainers {
				if c := &want.Spec.InitContainers[i]; !ourContainer(c.Name) {
					c.TerminationMessagePath, c.ImagePullPolicy = corev1.TerminationMessagePathDefault, corev1.PullIfNotPresent
				}
			}
			if diff := cmp.Diff(want.Spec, restored.Spec); diff != "" {
				t.Errorf("-manifest +backup:\n%s", diff)
			}
			if again, err := Patch(restored, bookstore, renewed()); err != nil || len(again.Operations) != 0 {
				t.Errorf("the second call wants %+v, %v", again.Operations, err)
			}
		})
	}
}

// TestCopyThatKubectlDebugMakesGetsAProxy: it keeps init containers and volumes, and
// drops annotations, labels and probes.
func TestCopyThatKubectlDebugMakesGetsAProxy(t *testing.T) {
	pod := readPod(t, "testdata/probes.in.yaml")
	pod.Annotations = map[string]string{metadata.ProxyLogLevel: "debug", metadata.ProxyConcurrency: "4", metadata.ExcludeOutboundPorts: "3306"}
	debugged := apply(t, pod)
	debugged.Annotations, debugged.Labels = nil, nil
	for i := range debugged.Spec.Containers {
		c := &debugged.Spec.Containers[i]
		c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = nil, nil, nil
	}
	debugged.Spec.Containers = append(debugged.Spec.Containers, corev1.Container{Name: "debugger", Image: "busybox"})
	copied := apply(t, debugged)
	if got := names(copied.Spec.InitContainers); got != "mesh-proxy mesh-init migrate cache" {
		t.Errorf("init containers are %s", got)
	}
	for _, c := range copied.Spec.InitContainers[:2] {
		args := strings.Join(c.Args, " ")
		for _, gone := range []string{"debug", "3306", "--concurrency 4", `--probe={"container":"app"`} {
			if strings.Contains(args, gone) {
				t.Errorf("%s still has %s: %s", c.Name, gone, args)
			}
		}
	}
	wantUnchanged(t, copied)
}

// TestBackupCannotSayMoreByARouteThanByAProbe edits where probes led before.
func TestBackupCannotSayMoreByARouteThanByAProbe(t *testing.T) {
	route := ProbeRoute{Container: "cache", Kind: "startup", Scheme: "http", Port: 80, Path: "/", Timeout: 1}
	with := func(edit func(*ProbeRoute)) string {
		forged := route
		edit(&forged)
		return forged.argument()
	}
	for name, forged := range map[string]string{
		"to the proxy itself":          with(func(r *ProbeRoute) { r.Port = 15090 }),
		"to no port":                   with(func(r *ProbeRoute) { r.Port = 0 }),
		"of another shape":             "--probe=cache/startup",
		"with a path that no URL has":  with(func(r *ProbeRoute) { r.Path = "/a b" }),
		"with a line of its own":       with(func(r *ProbeRoute) { r.Path = "/\r\nHost: other" }),
		"with a line in a header":      with(func(r *ProbeRoute) { r.Headers = []corev1.HTTPHeader{{Name: "A", Value: "b\r\nHost: other"}} }),
		"by TCP, with something to do": with(func(r *ProbeRoute) { r.Scheme, r.Path = "tcp", "/delete" }),
		"by gRPC, with headers":        with(func(r *ProbeRoute) { r.Scheme, r.Headers = "grpc", []corev1.HTTPHeader{{Name: "A"}} }),
		"of a container of the mesh":   with(func(r *ProbeRoute) { r.Container = "mesh-proxy" }),
	} {
		t.Run(name, func(t *testing.T) {
			pod := apply(t, readPod(t, "testdata/probes.in.yaml"))
			args := initContainerNamed(&pod.Spec, sidecar.InitContainer).Args
			at := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, `--probe={"container":"cache","kind":"startup"`) })
			args[at] = forged
			const want = "sidecar container cache: startupProbe.httpGet leads to the mesh's proxy, and no container mesh-init of the pod says where it led before: write the app's own port and path"
			if result, err := Patch(pod, bookstore, settings); err == nil || err.Error() != want {
				t.Errorf("got %+v, %v", result, err)
			}
		})
	}
}

func TestTimeoutOfABackupsProbeIsItsOwn(t *testing.T) {
	pod := apply(t, readPod(t, "testdata/checks.in.yaml"))
	var changed string
	for i := range pod.Spec.Containers {
		if probe := pod.Spec.Containers[i].LivenessProbe; probe != nil && probe.HTTPGet != nil {
			probe.TimeoutSeconds = 7
			changed = pod.Spec.Containers[i].Name
			break
		}
	}
	args := strings.Join(initContainerNamed(&apply(t, pod).Spec, sidecar.InitContainer).Args, " ")
	if changed == "" || !strings.Contains(args, `--probe={"container":"`+changed+`","kind":"liveness"`) || !strings.Contains(args, `"timeout":7}`) {
		t.Errorf("mesh-init has %s, want a route of %s with a timeout of 7 s", args, changed)
	}
}
