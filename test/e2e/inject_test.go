// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

func TestTheProxyStartsFirstAndHasNoToken(t *testing.T) {
	t.Parallel()
	pod, err := live.Core.CoreV1().Pods(buyer.Namespace).Get(t.Context(), buyer.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	inits := pod.Spec.InitContainers
	if len(inits) != 2 || inits[0].Name != "mesh-proxy" || inits[1].Name != "mesh-init" {
		t.Fatalf("got init containers %v, want mesh-proxy, then mesh-init", names(inits))
	}
	proxy := inits[0]
	if proxy.RestartPolicy == nil || *proxy.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("mesh-proxy is not a native sidecar")
	}
	security := proxy.SecurityContext
	if *security.RunAsUser < 2013370000 || *security.RunAsUser > 2013379999 || *security.RunAsGroup != 1337 {
		t.Errorf("mesh-proxy runs as %d:%d, want a user from 2013370000 to 2013379999 and the group 1337", *security.RunAsUser, *security.RunAsGroup)
	}
	// Kubernetes gives every container of a pod its account's token, unless
	// something is mounted there already.
	for _, container := range append(inits, pod.Spec.Containers[0]) {
		token := slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool {
			return mount.MountPath == tokenPath && slices.ContainsFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool {
				return volume.Name == mount.Name && volume.Projected != nil
			})
		})
		if want := container.Name == "app"; token != want {
			t.Errorf("%s has a service account token: %v, want %v", container.Name, token, want)
		}
	}
}

func names(containers []corev1.Container) []string {
	var out []string
	for _, container := range containers {
		out = append(out, container.Name)
	}
	return out
}

// One container is probed on a path that its server has, one on a path that it
// has not: the kubelet must learn of both.
func TestHTTPProbesReachTheApplication(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	probe := func(path string, port int32) *corev1.Probe {
		return &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(port)},
		}}
	}
	good, bad := cluster.Container("app", "store", "--listen=:8080"), cluster.Container("bad", "store", "--listen=:8082")
	good.ReadinessProbe, good.LivenessProbe = probe("/healthz", 8080), probe("/healthz", 8080)
	bad.ReadinessProbe = probe("/nowhere", 8082)
	manifest := cluster.Manifest(shop.Namespace, "probed", good, bad)
	manifest.Spec.ServiceAccountName = "shop"
	pods := live.Core.CoreV1().Pods(shop.Namespace)
	pod, err := pods.Create(t.Context(), manifest, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if get := pod.Spec.Containers[0].ReadinessProbe.HTTPGet; get.Port.IntValue() != 15020 || get.Path != "/probe/app/readiness" {
		t.Errorf("the readiness probe goes to %s %s, want 15020 /probe/app/readiness", get.Port.String(), get.Path)
	}
	await.State(t, soon, func() (string, bool) {
		pod, err := pods.Get(t.Context(), "probed", metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == "app" && status.Ready {
				return "", true
			}
		}
		return "the container whose server answers 200 is not ready", false
	})
	await.State(t, soon, func() (string, bool) {
		events, err := live.Core.CoreV1().Events(shop.Namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=Unhealthy,involvedObject.name=probed"})
		if err != nil {
			return err.Error(), false
		}
		return "the kubelet does not say that the other server answers 404", slices.ContainsFunc(events.Items, func(event corev1.Event) bool {
			return strings.Contains(event.InvolvedObject.FieldPath, "{bad}") && strings.Contains(event.Message, "404")
		})
	})
}

func TestAPodThatTheMeshCannotCarryIsRefusedByASentence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*corev1.Pod)
		want string
	}{
		{"gRPC probe of the proxy's port", func(pod *corev1.Pod) {
			pod.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 15001}}}
		}, "container app: livenessProbe.grpc.port: 15001 belongs to the mesh"},
		{"TCP probe of the proxy's port", func(pod *corev1.Pod) {
			pod.Spec.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(15006)}}}
		}, "container app: readinessProbe.tcpSocket.port: 15006 belongs to the mesh"},
		{"the proxy's user", func(pod *corev1.Pod) {
			pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: ptr.To[int64](1337)}
		}, "container app runs as uid 1337, whose traffic the mesh does not capture"},
		{"the proxy's group", func(pod *corev1.Pod) {
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: ptr.To[int64](1337)}
		}, "container app runs as gid 1337, whose traffic the mesh does not capture"},
		{"NET_ADMIN", func(pod *corev1.Pod) {
			pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}}
		}, "container app adds capability NET_ADMIN and can step around the mesh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := cluster.Manifest(buyer.Namespace, "refused", cluster.Container("app", "reflect"))
			pod.Spec.ServiceAccountName = buyer.Account
			tt.edit(pod)
			_, err := live.Core.CoreV1().Pods(buyer.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want the sentence %q", err, tt.want)
			}
		})
	}
}

func TestAPodsLabelWinsOverItsNamespaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		neighbour *cluster.Pod
		label     string
		meshed    bool
	}{
		{"disabled in the mesh", buyer, "disabled", false},
		{"enabled outside the mesh", outsider, "enabled", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pod := cluster.Manifest(tt.neighbour.Namespace, "labelled", cluster.Container("app", "reflect"))
			pod.Spec.ServiceAccountName = tt.neighbour.Account
			pod.Labels["mesh.openservicemesh.io/inject"] = tt.label
			made, err := live.Core.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Contains(names(made.Spec.InitContainers), "mesh-proxy"); got != tt.meshed {
				t.Errorf("the pod has a proxy: %v, want %v", got, tt.meshed)
			}
		})
	}
}
