// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// webhook serves an administrator's webhook over TLS until the test ends, and
// gives its clientConfig for the path /.
func webhook(t *testing.T, answer func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse) string {
	t.Helper()
	served := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = answer(review.Request)
		review.Response.UID = review.Request.UID
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(served.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: served.Certificate().Raw})
	return fmt.Sprintf("{url: %q, caBundle: %s}", served.URL, base64.StdEncoding.EncodeToString(ca))
}

// forPolicies is a webhook configuration that asks about the MeshPolicies made in
// a namespace.
func forPolicies(kind, namespace, clientConfig string) string {
	return `
apiVersion: admissionregistration.k8s.io/v1
kind: ` + kind + `
metadata: {name: ` + namespace + `}
webhooks:
- name: policies.example.com
  clientConfig: ` + clientConfig + `
  rules:
  - {apiGroups: [mesh.openservicemesh.io], apiVersions: [v1alpha1], operations: [CREATE], resources: [meshpolicies]}
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ` + namespace + `}}
  admissionReviewVersions: [v1]
  sideEffects: None
`
}

func TestValidatingWebhookRefusesAMeshPolicy(t *testing.T) {
	namespace := newNamespace(t)
	hook := webhook(t, func(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		return &admissionv1.AdmissionResponse{Result: &metav1.Status{Message: r.Name + " is not in our catalogue"}}
	})
	applyForTest(t, forPolicies("ValidatingWebhookConfiguration", namespace, hook))
	await.Eventually(t, soon, "a refusal with the webhook's words", func(ctx context.Context) error {
		_, err := create(ctx, policiesIn(namespace), "deny")
		if err == nil {
			return errors.Join(errors.New("admitted"), policiesIn(namespace).Delete(ctx, "deny", metav1.DeleteOptions{}))
		}
		if !strings.Contains(err.Error(), "deny is not in our catalogue") {
			return err
		}
		return nil
	})
}

func TestMutatingWebhookChangesAMeshPolicy(t *testing.T) {
	namespace := newNamespace(t)
	hook := webhook(t, func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		kind := admissionv1.PatchTypeJSONPatch
		return &admissionv1.AdmissionResponse{Allowed: true, PatchType: &kind,
			Patch: []byte(`[{"op": "add", "path": "/metadata/labels", "value": {"team": "books"}}]`)}
	})
	applyForTest(t, forPolicies("MutatingWebhookConfiguration", namespace, hook))
	await.Eventually(t, soon, "the webhook's label", func(ctx context.Context) error {
		policy, err := create(ctx, policiesIn(namespace), "deny")
		if err != nil {
			return err
		}
		if policy.Labels["team"] != "books" {
			return errors.Join(errors.New("no label"), policiesIn(namespace).Delete(ctx, "deny", metav1.DeleteOptions{}))
		}
		return nil
	})
}
