// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Each case is a kubelet's request that lies in one thing. It is refused either at
// once or by the signer, and no certificate comes of it.
func TestForgedRequestsGetNoCertificate(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "bookbuyer")
	other := newAccount(t, namespace, "bookthief")
	foreign := newAccount(t, newNamespace(t), "bookbuyer")
	newNode(t, "node-b")
	pod := newPod(t, namespace, "buyer", "bookbuyer")
	bare := newPod(t, namespace, "bare", "bookbuyer", outsideTheMesh)
	empty := &x509.CertificateRequest{}
	identify(t, pod) // the honest request is one that is answered
	tests := []struct {
		name string
		pod  *corev1.Pod
		csr  *x509.CertificateRequest
		node string
		lie  func(*certificatesv1.PodCertificateRequestSpec)
		want string
	}{
		{"another account", pod, empty, nodeName, func(s *certificatesv1.PodCertificateRequestSpec) {
			s.ServiceAccountName, s.ServiceAccountUID = other.Name, other.UID
		}, "serviceAccountName"},
		{"UID of a pod before", pod, empty, nodeName, func(s *certificatesv1.PodCertificateRequestSpec) {
			s.PodUID = "9e2c1a52-6f5d-4a0f-8b5f-2b6b0a1c7d10"
		}, "pod UID"},
		{"the account of another namespace", pod, empty, nodeName, func(s *certificatesv1.PodCertificateRequestSpec) {
			s.ServiceAccountUID = foreign.UID
		}, "service account UID"},
		{"UID of an account before", pod, empty, nodeName, func(s *certificatesv1.PodCertificateRequestSpec) {
			s.ServiceAccountUID = "9e2c1a52-6f5d-4a0f-8b5f-2b6b0a1c7d10"
		}, "service account UID"},
		{"pod of another node", pod, empty, "node-b", func(s *certificatesv1.PodCertificateRequestSpec) {
			s.NodeName, s.NodeUID = "node-b", newNode(t, "node-b").UID
		}, "not running on node"},
		{"for another node", pod, empty, "node-b", func(*certificatesv1.PodCertificateRequestSpec) {}, "not the requesting node"},
		{"asks for a name", pod, &x509.CertificateRequest{DNSNames: []string{harness.ServerName}}, nodeName,
			func(*certificatesv1.PodCertificateRequestSpec) {}, "RequestNotEmpty"},
		{"asks for a subject", pod, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "admin"}}, nodeName,
			func(*certificatesv1.PodCertificateRequestSpec) {}, "RequestNotEmpty"},
		{"asks for an identity", pod, &x509.CertificateRequest{URIs: []*url.URL{{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/bank/sa/teller"}}}, nodeName,
			func(*certificatesv1.PodCertificateRequestSpec) {}, "RequestNotEmpty"},
		{"takes annotations", pod, empty, nodeName, func(s *certificatesv1.PodCertificateRequestSpec) {
			s.UnverifiedUserAnnotations = map[string]string{"example.com/name": "admin"}
		}, certificatesv1.PodCertificateRequestConditionInvalidUserConfig},
		{"pod without a proxy", bare, empty, nodeName, func(*certificatesv1.PodCertificateRequestSpec) {}, "does not mount"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRequest(t, tt.pod, tt.csr)
			tt.lie(&r.Spec)
			if err := r.send(t.Context(), kubelet(t, tt.node)); err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("refused by %v, want a refusal about %s", err, tt.want)
				}
				return
			}
			await.Eventually(t, soon, "an answer", r.answer)
			if r.Status.CertificateChain != "" {
				t.Fatalf("a certificate was issued: %+v", r.Status)
			}
			denied := meta.FindStatusCondition(r.Status.Conditions, certificatesv1.PodCertificateRequestConditionTypeDenied)
			if denied == nil || denied.Reason != tt.want {
				t.Errorf("got conditions %+v, want Denied by %s", r.Status.Conditions, tt.want)
			}
		})
	}
	wantCertificates(t, namespace, 1)
}

// Each case sends once more what was asked for, and answered, before.
func TestReplayedRequestsGetNoCertificate(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "bookbuyer")
	newNode(t, "node-b")
	pod := newPod(t, namespace, "buyer", "bookbuyer")
	first := newRequest(t, pod, &x509.CertificateRequest{})
	again := first.DeepCopy()
	node := kubelet(t, nodeName)
	await.Eventually(t, soon, "the request being taken", func(ctx context.Context) error { return first.send(ctx, node) })
	await.Eventually(t, soon, "an answer", first.answer)
	wantCertificates(t, namespace, 1)

	remove := func() {
		err := host.CoreV1().Pods(namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name    string
		as      kubernetes.Interface
		prepare func()
		// want is part of the refusal; "" if the request is taken and stays unanswered.
		want string
	}{
		{"by an administrator", host, func() {}, "mesh-podcertificate"},
		{"by another node", kubelet(t, "node-b"), func() {}, "not the requesting node"},
		{"by its own node", node, func() {}, ""},
		{"when the pod is gone", node, remove, "not found"},
		{"when there is another pod by its name", node, func() { newPod(t, namespace, "buyer", "bookbuyer") }, "pod UID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.prepare()
			r := request{PodCertificateRequest: again.DeepCopy()}
			refused := func(ctx context.Context) error {
				switch err := r.send(ctx, tt.as); {
				case err == nil:
					return errors.New("it was taken")
				case !strings.Contains(err.Error(), tt.want):
					return fmt.Errorf("want a refusal about %s: %w", tt.want, err)
				default:
					return nil
				}
			}
			if tt.want != "" {
				await.Eventually(t, soon, "the refusal", refused)
				return
			}
			if err := r.send(t.Context(), tt.as); err != nil {
				t.Fatal(err)
			}
			unanswered(t, &r)
		})
	}
	wantCertificates(t, namespace, 1)
}

// wantCertificates counts those that were issued in a namespace.
func wantCertificates(t *testing.T, namespace string, want int) {
	t.Helper()
	list, err := host.CertificatesV1().PodCertificateRequests(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, r := range list.Items {
		if r.Status.CertificateChain != "" {
			got++
		}
	}
	if got != want {
		t.Errorf("%d certificates were issued for %d requests, want %d", got, len(list.Items), want)
	}
}
