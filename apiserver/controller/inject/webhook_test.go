// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"os"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// TestWebhookSelectsEachPodOnce reads the manifest: Patch relies on its
// selectors, and each pod must come through one entry at most.
func TestWebhookSelectsEachPodOnce(t *testing.T) {
	raw, err := os.ReadFile("../../../artifacts/deploy/webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(raw, &configuration); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, namespace, namespaceLabel, podLabel string
		want                                      int
	}{
		{"meshed namespace", "shop", "enabled", "", 1},
		{"meshed namespace, pod says so too", "shop", "enabled", "enabled", 1},
		{"meshed namespace, pod stays out", "shop", "enabled", "disabled", 0},
		{"meshed namespace, pod's label says nothing known", "shop", "enabled", "true", 1},
		{"other namespace", "shop", "", "", 0},
		{"other namespace, pod comes in", "shop", "", "enabled", 1},
		{"namespace that stays out, pod comes in", "shop", "disabled", "enabled", 1},
		{"kube-system", "kube-system", "enabled", "enabled", 0},
		{"the control plane's own", "mesh-system", "enabled", "enabled", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := labels.Set{"kubernetes.io/metadata.name": test.namespace}
			if test.namespaceLabel != "" {
				namespace["mesh.openservicemesh.io/inject"] = test.namespaceLabel
			}
			pod := labels.Set{}
			if test.podLabel != "" {
				pod["mesh.openservicemesh.io/inject"] = test.podLabel
			}
			got := 0
			for _, webhook := range configuration.Webhooks {
				if selects(t, webhook.NamespaceSelector, namespace) && selects(t, webhook.ObjectSelector, pod) {
					got++
				}
			}
			if got != test.want {
				t.Errorf("%d entries select the pod, want %d", got, test.want)
			}
		})
	}
}

func selects(t *testing.T, selector *metav1.LabelSelector, set labels.Set) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(set)
}
