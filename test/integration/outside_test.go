// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// registrations make kube-apiserver call Services of a namespace. Their webhooks are
// for a kind that is not there.
const registrations = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: outside-validating}
webhooks:
- name: validating.outside.example.org
  clientConfig: {service: {namespace: NAMESPACE, name: validated, port: 8443}}
  rules: [{apiGroups: [outside.example.org], apiVersions: [v1], resources: [nothings], operations: [CREATE]}]
  sideEffects: None
  failurePolicy: Ignore
  admissionReviewVersions: [v1]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: outside-mutating}
webhooks:
- name: mutating.outside.example.org
  clientConfig: {service: {namespace: NAMESPACE, name: mutated, port: 8443}}
  rules: [{apiGroups: [outside.example.org], apiVersions: [v1], resources: [nothings], operations: [CREATE]}]
  sideEffects: None
  failurePolicy: Ignore
  admissionReviewVersions: [v1]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.outside.example.org}
spec:
  group: outside.example.org
  version: v1
  service: {namespace: NAMESPACE, name: aggregated, port: 8443}
  insecureSkipTLSVerify: true
  groupPriorityMinimum: 100
  versionPriority: 100
`

// Callers outside the mesh at a Strict port: the owner of the Service or pod has an
// Event that says who, where, and what lets them in; and after that none.
func TestCallersThatStrictRefusesAreEventsUntilTheyAreLetIn(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "operator")
	operator := run(t, newPod(t, namespace, "operator", "operator", labelled("app", "operator"), func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9090"}
	}), nextAddress())
	for _, name := range []string{"validated", "mutated", "aggregated"} {
		expose(t, namespace, serviceOf(name, "operator", "https", 8443), operator)
	}
	withType := func(name string, number int32, kind corev1.ServiceType) *corev1.Service {
		service := serviceOf(name, "operator", "http", number)
		service.Spec.Type = kind
		return service
	}
	expose(t, namespace, withType("nodes", 8080, corev1.ServiceTypeNodePort), operator)
	expose(t, namespace, withType("balanced", 8080, corev1.ServiceTypeLoadBalancer), operator)
	asked := serviceOf("asked", "operator", "http", 9090)
	asked.Annotations = map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9100"}
	expose(t, namespace, asked, operator)
	written := strings.ReplaceAll(registrations, "NAMESPACE", namespace)
	kubectl(t, written, "create", "-f", "-")
	removed := false
	remove := func() {
		if !removed {
			removed = true
			if _, err := kube.Kubectl(context.Background(), written, "delete", "--ignore-not-found", "-f", "-"); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(remove)

	for name, says := range map[string]string{
		"validated":  "container port 8443 refuses kube-apiserver (ValidatingWebhookConfiguration outside-validating)",
		"mutated":    "container port 8443 refuses kube-apiserver (MutatingWebhookConfiguration outside-mutating)",
		"aggregated": "container port 8443 refuses kube-apiserver (APIService v1.outside.example.org)",
		"nodes":      "container port 8080 refuses clients of its node port",
		"balanced":   "container port 8080 refuses clients of its load balancer",
		"asked":      "container port 9100 refuses a Prometheus outside the mesh",
		"operator":   "container port 9090 refuses a Prometheus outside the mesh",
	} {
		await.Eventually(t, soon, "an Event about "+name, func(ctx context.Context) error {
			notes, err := refusedOutside(ctx, namespace, name)
			if err == nil && !(len(notes) == 1 && strings.Contains(notes[0], says) && strings.Contains(notes[0], "of the Namespace "+namespace)) {
				err = fmt.Errorf("got %q", notes)
			}
			return err
		})
	}
	remove()

	// The step of docs/meshconfig.md, "Callers outside the mesh".
	kubectl(t, "", "annotate", "namespace", namespace, "mesh.openservicemesh.io/mtls-ports=8080=Permissive")
	expose(t, namespace, withType("let-in", 8080, corev1.ServiceTypeNodePort), operator)
	expose(t, namespace, withType("witness", 8081, corev1.ServiceTypeNodePort), operator)
	await.Eventually(t, soon, "an Event about the witness", func(ctx context.Context) error {
		notes, err := refusedOutside(ctx, namespace, "witness")
		if err == nil && len(notes) == 0 {
			err = fmt.Errorf("there is none")
		}
		return err
	})
	if notes, err := refusedOutside(t.Context(), namespace, "let-in"); err != nil || len(notes) > 0 {
		t.Errorf("the port is Permissive: got %q (%v)", notes, err)
	}
}

// refusedOutside are the notes about an object's callers outside the mesh.
func refusedOutside(ctx context.Context, namespace, name string) ([]string, error) {
	list, err := host.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, event := range list.Items {
		if event.Reason == "OutsideCallersRefused" && event.Regarding.Name == name {
			notes = append(notes, event.Note)
		}
	}
	return notes, nil
}
