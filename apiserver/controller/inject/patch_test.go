// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var settings = Settings{
	InitImage:  "docker.io/local/mesh-apiserver:dev",
	ProxyImage: "docker.io/local/envoy:1.40.0",
	Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("50m"),
		corev1.ResourceMemory: resource.MustParse("96Mi"),
	}},
	Demanded: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("50m"),
			corev1.ResourceMemory: resource.MustParse("96Mi"),
		},
		Limits: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("250m"),
			corev1.ResourceMemory: resource.MustParse("256Mi"),
		},
	},
	LogLevel:            "warning",
	Concurrency:         2,
	DrainTime:           30 * time.Second,
	TerminationDrain:    25 * time.Second,
	PreStopSleep:        5 * time.Second,
	CertificateLifetime: 24 * time.Hour,
	SystemNamespace:     "mesh-system",
	ClusterDomain:       "cluster.local",
	PodIdentity:         true,
}

var bookstore = Namespace{Name: "bookstore", Labels: map[string]string{
	"mesh.openservicemesh.io/inject":     "enabled",
	"pod-security.kubernetes.io/enforce": "privileged",
}}

// TestPatch holds pairs of a pod and what it becomes. What it becomes must
// need nothing more, since the API server calls twice.
func TestPatch(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no golden pairs: %v", err)
	}
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.yaml")
		t.Run(name, func(t *testing.T) {
			pod := apply(t, readPod(t, input))
			got, err := yaml.Marshal(withoutBootstrap(pod))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".out.yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got; -update rewrites %s:\n%s", golden, diff)
			}
			wantUnchanged(t, pod)
		})
	}
}

func TestEnvoyDrainsForAsLongAsMeshConfigSays(t *testing.T) {
	changed := settings
	changed.DrainTime = 90 * time.Second
	result, err := Patch(readPod(t, "testdata/plain.in.yaml"), bookstore, changed)
	if err != nil {
		t.Fatal(err)
	}
	operations, err := json.Marshal(result.Operations)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"--drain-time-s","90","--drain-strategy","gradual"`; !strings.Contains(string(operations), want) {
		t.Errorf("the proxy is not started with %s:\n%s", want, operations)
	}
}

func TestReinvocation(t *testing.T) {
	injected := func(t *testing.T) *corev1.Pod { return apply(t, readPod(t, "testdata/probes.in.yaml")) }

	t.Run("after the API server's own plugins", func(t *testing.T) {
		pod := injected(t)
		for i := range pod.Spec.InitContainers {
			c := &pod.Spec.InitContainers[i]
			c.ImagePullPolicy = corev1.PullAlways
			c.TerminationMessagePath = corev1.TerminationMessagePathDefault
			c.TerminationMessagePolicy = corev1.TerminationMessageReadFile
			c.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe} {
				if probe != nil {
					protocol := corev1.HTTPProtocolHTTP1
					probe.HTTPGet.Protocol = &protocol
				}
			}
		}
		wantUnchanged(t, pod)
	})

	t.Run("a later webhook's container joins", func(t *testing.T) {
		pod := injected(t)
		late := corev1.Container{Name: "late", Image: "late", LivenessProbe: httpProbe(9000)}
		pod.Spec.Containers = append([]corev1.Container{late}, pod.Spec.Containers...)
		early := corev1.Container{Name: "early", Image: "early"}
		pod.Spec.InitContainers = append([]corev1.Container{early}, pod.Spec.InitContainers...)

		again := apply(t, pod)
		if got := names(again.Spec.InitContainers); got != "mesh-proxy mesh-init early migrate cache" {
			t.Errorf("init containers are %q", got)
		}
		if got := again.Spec.Containers[0].LivenessProbe.HTTPGet; got.Path != "/probe/late/liveness" || got.Port.IntValue() != 15020 {
			t.Errorf("the late probe is %v", got)
		}
		args := strings.Join(again.Spec.InitContainers[1].Args, " ")
		for _, route := range []string{
			`--probe={"container":"late","kind":"liveness","scheme":"http","port":9000,"path":"/","timeout":1}`,
			`--probe={"container":"app","kind":"readiness","scheme":"https","port":8443,"path":"/ready","timeout":1}`,
			`"headers":[{"name":"Host","value":"app.example.com"}]`,
		} {
			if !strings.Contains(args, route) {
				t.Errorf("mesh-init has no %s: %s", route, args)
			}
		}
		wantUnchanged(t, again)
	})

	t.Run("a later webhook takes a container away", func(t *testing.T) {
		pod := injected(t)
		pod.Spec.Containers = pod.Spec.Containers[1:]
		again := apply(t, pod)
		if args := strings.Join(again.Spec.InitContainers[1].Args, " "); strings.Contains(args, `--probe={"container":"app"`) {
			t.Errorf("mesh-init still lets probes of app through: %s", args)
		}
		wantUnchanged(t, again)
	})
}

func TestWarnings(t *testing.T) {
	pod := readPod(t, "testdata/probes.in.yaml")
	pod.Spec.DNSPolicy = corev1.DNSDefault
	pod.Annotations = map[string]string{
		metadata.ExcludeInboundPorts:          "9090",
		metadata.MTLSPortsAnnotation:          "8080=Strict, 9090=Permissive",
		metadata.Prefix + "exclude-interface": "net1",
		"example.org/exclude-inbound-portss":  "1",
	}
	result, err := Patch(pod, bookstore, settings)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"container outside: readinessProbe.httpGet.host: the kubelet calls 198.18.128.1 itself; the probe is left as it is",
		"annotation mesh.openservicemesh.io/exclude-inbound-ports: what comes in there is neither encrypted nor guarded by policies",
		"annotation mesh.openservicemesh.io/mtls-ports: port 9090 is in mesh.openservicemesh.io/exclude-inbound-ports as well, which wins: remove it from one of them",
		"annotation mesh.openservicemesh.io/exclude-interface does nothing: is mesh.openservicemesh.io/exclude-interfaces meant?",
		"dnsPolicy Default: the pod starts only if its resolver knows mesh-apiserver.mesh-system.svc.cluster.local",
	}
	if diff := cmp.Diff(want, result.Warnings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestProbeRouteIsReadAsWritten(t *testing.T) {
	for _, want := range []ProbeRoute{
		{Container: "app", Kind: "liveness", Scheme: "http", Port: 8080, Path: "/", Timeout: 1},
		{Container: "app", Kind: "startup", Scheme: "grpc", Port: 9000, Path: "/shop.Books", Timeout: 10},
		{Container: "app", Kind: "liveness", Scheme: "tcp", Port: 5432, Path: "/", Timeout: 2},
		{Container: "app", Kind: "readiness", Scheme: "https", Port: 65535, Path: "/a=b:c?d=e:f", Timeout: 1, Headers: []corev1.HTTPHeader{{Name: "X-Own", Value: `a "$(B)", <c>`}}},
	} {
		got, err := ParseProbeRoute(want.String())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q is read with %v, -want +got:\n%s", want, err, diff)
		}
	}
	good := `{"container":"app","kind":"liveness","scheme":"http","port":80,"path":"/","timeout":1,"headers":[{"name":"A"}]}`
	if _, err := ParseProbeRoute(good); err != nil {
		t.Error(err)
	}
	for _, spoil := range []struct{ from, to string }{
		{good, ""}, {"app", ""}, {"liveness", "hook"}, {"http", "ftp"}, {":80", ":0"}, {":80", ":70000"}, {`"/"`, `"x"`}, {`"timeout":1`, `"timeout":0`}, {`"A"`, `"A B"`},
	} {
		bad := strings.Replace(good, spoil.from, spoil.to, 1)
		if got, err := ParseProbeRoute(bad); err == nil {
			t.Errorf("%q reads as %+v, want an error", bad, got)
		}
	}
}

func BenchmarkPatch(b *testing.B) {
	pod := readPod(b, "testdata/probes.in.yaml")
	for b.Loop() {
		if _, err := Patch(pod, bookstore, settings); err != nil {
			b.Fatal(err)
		}
	}
}

// apply patches the pod as the API server does, and checks that Patch left its
// input alone.
func apply(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	return patched(t, pod, settings)
}

func patched(t *testing.T, pod *corev1.Pod, settings Settings) *corev1.Pod {
	t.Helper()
	return patchedIn(t, pod, bookstore, settings)
}

func patchedIn(t *testing.T, pod *corev1.Pod, namespace Namespace, settings Settings) *corev1.Pod {
	t.Helper()
	before := pod.DeepCopy()
	result, err := Patch(pod, namespace, settings)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, pod); diff != "" {
		t.Errorf("Patch changed its input:\n%s", diff)
	}
	operations, err := json.Marshal(result.Operations)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = patch.Apply(raw); err != nil {
		t.Fatalf("apply %s: %v", operations, err)
	}
	patched := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(raw, patched); err != nil {
		t.Fatal(err)
	}
	return patched
}

// withoutBootstrap leaves out what envoy's golden pair shows.
func withoutBootstrap(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	args := pod.Spec.InitContainers[0].Args
	args[1] = "the bootstrap"
	return pod
}

func wantUnchanged(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	again, err := Patch(pod, bookstore, settings)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Operations) != 0 {
		t.Errorf("the second call wants %+v", again.Operations)
	}
}

func readPod(t testing.TB, file string) *corev1.Pod {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(raw, pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

func httpProbe(port int32) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(port)}}}
}

func names(containers []corev1.Container) string {
	var all []string
	for _, c := range containers {
		all = append(all, c.Name)
	}
	return strings.Join(all, " ")
}
