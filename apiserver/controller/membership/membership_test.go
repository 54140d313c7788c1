// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"os"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestSelectedIsWhatTheWebhookSelects reads the manifest, and holds its selectors
// and Selected to the same answer for every combination of names and labels.
func TestSelectedIsWhatTheWebhookSelects(t *testing.T) {
	raw, err := os.ReadFile("../../../artifacts/deploy/webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var webhooks admissionregistrationv1.MutatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(raw, &webhooks); err != nil {
		t.Fatal(err)
	}
	values := []string{"", metadata.InjectEnabled, metadata.InjectDisabled, "other"}
	for _, name := range []string{"shop", "kube-system", "kube-public", "kube-node-lease", "mesh-system"} {
		for _, onNamespace := range values {
			for _, onPod := range values {
				namespace := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labelled(onNamespace)}}
				webhook := selected(t, webhooks, namespace, labelled(onPod))
				if got := Selected(namespace, labelled(onPod), "mesh-system"); got != webhook {
					t.Errorf("namespace %s labelled %q, pod labelled %q: got %t, the webhook says %t", name, onNamespace, onPod, got, webhook)
				}
			}
		}
	}
}

func TestPodLabelWinsOverItsNamespace(t *testing.T) {
	in := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labelled(metadata.InjectEnabled)}}
	out := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	for _, c := range []struct {
		namespace corev1.Namespace
		pod       string
		want      bool
	}{
		{in, "", true},
		{in, metadata.InjectDisabled, false},
		{out, "", false},
		{out, metadata.InjectEnabled, true},
	} {
		if got := Selected(c.namespace, labelled(c.pod), "mesh-system"); got != c.want {
			t.Errorf("namespace %v, pod %q: got %t", c.namespace.Labels, c.pod, got)
		}
	}
}

func TestHasProxy(t *testing.T) {
	for name, change := range map[string]func(*corev1.Pod){
		"without the proxy":              func(p *corev1.Pod) { p.Spec.InitContainers[0].Name = "other" },
		"with a proxy that ends":         func(p *corev1.Pod) { p.Spec.InitContainers[0].RestartPolicy = nil },
		"without an identity":            func(p *corev1.Pod) { p.Spec.Volumes = nil },
		"with another signer's identity": func(p *corev1.Pod) { p.Spec.Volumes[0].Projected.Sources[0].PodCertificate.SignerName = "other" },
		"on the host's network":          func(p *corev1.Pod) { p.Spec.HostNetwork = true },
	} {
		pod := meshed()
		if !HasProxy(pod) {
			t.Fatal("a pod with proxy and identity has no proxy")
		}
		if change(pod); HasProxy(pod) {
			t.Errorf("a pod %s has the proxy", name)
		}
	}
}

func TestHasStarted(t *testing.T) {
	waiting := []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}}
	ran := []corev1.ContainerStatus{{ContainerID: "containerd://1"}}
	for name, c := range map[string]struct {
		status corev1.PodStatus
		want   bool
	}{
		"nothing is known yet":          {corev1.PodStatus{}, false},
		"all containers wait":           {corev1.PodStatus{InitContainerStatuses: waiting, ContainerStatuses: waiting}, false},
		"an init container has started": {corev1.PodStatus{InitContainerStatuses: ran, ContainerStatuses: waiting}, true},
		"a container has started":       {corev1.PodStatus{ContainerStatuses: ran}, true},
	} {
		if got := HasStarted(&corev1.Pod{Status: c.status}); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func meshed() *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	return &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: sidecar.ProxyContainer, RestartPolicy: &always}},
		Volumes: []corev1.Volume{{Name: sidecar.VolumeIdentity, VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{PodCertificate: &corev1.PodCertificateProjection{SignerName: sidecar.Signer}},
			}},
		}}},
	}}
}

func labelled(value string) map[string]string {
	if value == "" {
		return nil
	}
	return map[string]string{metadata.InjectLabel: value}
}

// selected applies the selectors as the API server does, which gives every
// namespace its name as a label.
func selected(t *testing.T, webhooks admissionregistrationv1.MutatingWebhookConfiguration, namespace corev1.Namespace, pod labels.Set) bool {
	t.Helper()
	set := labels.Merge(namespace.Labels, labels.Set{corev1.LabelMetadataName: namespace.Name})
	for _, webhook := range webhooks.Webhooks {
		if matches(t, webhook.NamespaceSelector, set) && matches(t, webhook.ObjectSelector, pod) {
			return true
		}
	}
	return false
}

func matches(t *testing.T, selector *metav1.LabelSelector, set labels.Set) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(set)
}
