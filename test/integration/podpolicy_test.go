// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// TestPodWithACertificateMustBeInTheMesh is about a pod made by hand, kept back
// by a gate to be labelled later.
func TestPodWithACertificateMustBeInTheMesh(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "late"},
		Spec: corev1.PodSpec{
			ServiceAccountName: "app",
			SchedulingGates:    []corev1.PodSchedulingGate{{Name: "example.com/later"}},
			Containers:         []corev1.Container{{Name: "app", Image: "app"}},
			Volumes: []corev1.Volume{{Name: "mine", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{
					SignerName: "mesh.openservicemesh.io/workload", KeyType: "ECDSAP256", CredentialBundlePath: "bundle.pem",
				}}},
			}}}},
		},
	}
	namespace := newNamespace(t)
	newAccount(t, namespace, "app")
	_, err := host.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	wantRefused(t, err, "asks for a certificate of the mesh without being in the mesh")
}

func TestPodOfTheMeshStaysWhatTheWebhookMade(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "app")
	pods := host.CoreV1().Pods(namespace)
	pod, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "app"},
		Spec:       corev1.PodSpec{ServiceAccountName: "app", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string
		change     func(*corev1.Pod)
	}{
		{"another label", "", func(p *corev1.Pod) { p.Labels = map[string]string{"tier": "front"} }},
		{"the mesh's label", "cannot be changed", func(p *corev1.Pod) { p.Labels = map[string]string{"mesh.openservicemesh.io/inject": "disabled"} }},
		{"another annotation", "", func(p *corev1.Pod) { p.Annotations["tier"] = "front" }},
		{"whose certificate the proxy shows", "files of its proxy and cannot be changed", func(p *corev1.Pod) { p.Annotations["mesh.openservicemesh.io/identity-sds"] = "{}" }},
		{"which control plane the proxy obeys", "files of its proxy and cannot be changed", func(p *corev1.Pod) {
			delete(p.Annotations, "mesh.openservicemesh.io/control-plane-roots-sds")
		}},
		{"the proxy's image", "images of mesh-init and mesh-proxy cannot be changed", func(p *corev1.Pod) { p.Spec.InitContainers[1].Image = "mine" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			live, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			test.change(live)
			_, err = pods.Update(t.Context(), live, metav1.UpdateOptions{})
			wantRefused(t, err, test.want)
		})
	}
	for _, change := range []string{
		`{"metadata":{"annotations":{"mesh.openservicemesh.io/identity-sds":"{}"}}}`,
		`{"metadata":{"labels":{"mesh.openservicemesh.io/inject":"disabled"}}}`,
	} {
		t.Run("by its status: "+change, func(t *testing.T) {
			_, err := pods.Patch(t.Context(), pod.Name, types.MergePatchType, []byte(change), metav1.PatchOptions{}, "status")
			wantRefused(t, err, "cannot be changed")
		})
	}
	if _, err := pods.Patch(t.Context(), pod.Name, types.MergePatchType, []byte(`{"metadata":{"annotations":{"tier":"back"}},"status":{"message":"m"}}`), metav1.PatchOptions{}, "status"); err != nil {
		t.Errorf("another change of its status: %v", err)
	}
	for name, labels := range map[string]map[string]string{
		"annotations": {"mesh.openservicemesh.io/identity-sds": "{}"},
		"labels":      {"mesh.openservicemesh.io/inject": "disabled"},
	} {
		t.Run("by a Binding's "+name, func(t *testing.T) {
			binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "node"}}
			if name == "labels" {
				binding.Labels = labels
			} else {
				binding.Annotations = labels
			}
			if err := pods.Bind(t.Context(), binding, metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), "mesh-bindings") {
				t.Errorf("got %v, want a refusal by mesh-bindings", err)
			}
		})
	}
	as := func(uid, gid *int64) func(*corev1.EphemeralContainer) {
		return func(c *corev1.EphemeralContainer) {
			c.SecurityContext = &corev1.SecurityContext{RunAsUser: uid, RunAsGroup: gid}
		}
	}
	for _, test := range []struct {
		name, want string
		change     func(*corev1.EphemeralContainer)
	}{
		{"debugger", "", func(*corev1.EphemeralContainer) {}},
		{"reads-key", "cannot mount the mesh's volumes", func(c *corev1.EphemeralContainer) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "mesh-identity", MountPath: "/key"}}
		}},
		{"joins-proxy", "targets the mesh's proxy", func(c *corev1.EphemeralContainer) { c.TargetContainerName = "mesh-proxy" }},
		{"is-old-proxy", "run as uid or gid 1337", as(ptr.To[int64](1337), nil)},
		{"is-proxy", "run as uid or gid 1337 or a uid from 2013370000", as(ptr.To[int64](2013370001), nil)},
		{"in-its-group", "run as uid or gid 1337", as(nil, ptr.To[int64](1337))},
		{"edits-rules", "add NET_ADMIN", func(c *corev1.EphemeralContainer) {
			c.SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"cap_net_admin"}}}
		}},
	} {
		t.Run("ephemeral container "+test.name, func(t *testing.T) {
			live, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			c := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: test.name, Image: "debug", ImagePullPolicy: corev1.PullIfNotPresent, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			}}
			test.change(&c)
			live.Spec.EphemeralContainers = append(live.Spec.EphemeralContainers, c)
			_, err = pods.UpdateEphemeralContainers(t.Context(), live.Name, live, metav1.UpdateOptions{})
			wantRefused(t, err, test.want)
		})
	}
}

// TestUsersOfProxiesAreTheirsAlone: a user's inotify instances are counted on the
// whole node, so a pod of another tenant could take those of a proxy.
func TestUsersOfProxiesAreTheirsAlone(t *testing.T) {
	const first, last = 2013370000, 2013379999
	outside, inside, trusted := newNamespace(t), newMeshNamespace(t), newNamespace(t)
	kubectl(t, "", "label", "namespace", trusted, "mesh.openservicemesh.io/privileged-workloads=allowed")
	for _, namespace := range []string{outside, inside, trusted} {
		newAccount(t, namespace, "app")
	}
	create := func(namespace string, change func(*corev1.Pod)) error {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "app-"},
			Spec:       corev1.PodSpec{ServiceAccountName: "app", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		}
		change(pod)
		return dryRun(t, namespace, pod)
	}
	as := func(uid int64) *corev1.SecurityContext { return &corev1.SecurityContext{RunAsUser: &uid} }
	ofPod := func(uid int64) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &uid} }
	}
	for _, test := range []struct {
		name, namespace string
		refused         bool
		change          func(*corev1.Pod)
	}{
		{"the first, by a container", outside, true, func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext = as(first) }},
		{"the last, by a container", outside, true, func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext = as(last) }},
		{"the one before", outside, false, ofPod(first - 1)},
		{"the one after", outside, false, ofPod(last + 1)},
		{"by the pod", outside, true, ofPod(first)},
		{"by an init container", outside, true, func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "setup", Image: "app", SecurityContext: as(first)}}
		}},
		{"by a container that poses as the proxy", outside, true, func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "mesh-proxy", Image: "app", SecurityContext: as(first)}}
		}},
		{"by the proxy that the webhook makes", inside, false, func(*corev1.Pod) {}},
		{"in a namespace that an administrator trusts", trusted, false, ofPod(first)},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := create(test.namespace, test.change)
			if refused := err != nil && strings.Contains(err.Error(), "mesh-proxy-users") && strings.Contains(err.Error(), "belongs to the mesh's proxies"); refused != test.refused || err != nil && !refused {
				t.Errorf("got %v, want refused by mesh-proxy-users: %v", err, test.refused)
			}
		})
	}
}

func dryRun(t *testing.T, namespace string, pod *corev1.Pod) error {
	t.Helper()
	_, err := host.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

func TestWhetherThePolicyOfPodsIsBoundIsInAMetric(t *testing.T) {
	manifest := kube.Manifest("pods-admission.yaml")
	await.Eventually(t, soon, "a metric saying that it is bound", shows("mesh_pods_admission_bound 1"))
	kubectl(t, "", "delete", "validatingadmissionpolicybinding", "mesh-pods")
	t.Cleanup(func() {
		if _, err := kube.Kubectl(context.Background(), "", "apply", "-f", manifest); err != nil {
			t.Error(err)
		}
	})
	await.Eventually(t, soon, "a metric saying that it is not", shows("mesh_pods_admission_bound 0"))
	serves(t)
	kubectl(t, "", "apply", "-f", manifest)
	await.Eventually(t, soon, "a metric saying that it is back", shows("mesh_pods_admission_bound 1"))
}

// wantRefused takes an empty sentence for "not refused".
func wantRefused(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), "mesh-pods") || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want a refusal by mesh-pods about %q", err, want)
	}
}
