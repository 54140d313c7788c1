// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/pki"
)

// request is a certificate request as the kubelet makes it, with the key it is for.
type request struct {
	*certificatesv1.PodCertificateRequest
	key *ecdsa.PrivateKey
}

func newRequest(t *testing.T, pod *corev1.Pod, csr *x509.CertificateRequest) request {
	t.Helper()
	key, stub, err := pki.Request(csr)
	if err != nil {
		t.Fatal(err)
	}
	account, err := host.CoreV1().ServiceAccounts(pod.Namespace).Get(t.Context(), pod.Spec.ServiceAccountName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	life := int32(3600)
	return request{key: key, PodCertificateRequest: &certificatesv1.PodCertificateRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "req-", Namespace: pod.Namespace},
		Spec: certificatesv1.PodCertificateRequestSpec{
			SignerName:           sidecar.Signer,
			PodName:              pod.Name,
			PodUID:               pod.UID,
			ServiceAccountName:   account.Name,
			ServiceAccountUID:    account.UID,
			NodeName:             types.NodeName(pod.Spec.NodeName),
			NodeUID:              newNode(t, pod.Spec.NodeName).UID,
			MaxExpirationSeconds: &life,
			StubPKCS10Request:    stub,
		},
	}}
}

// send creates the request; lagging informers of kube-apiserver are waited for.
func (r *request) send(ctx context.Context, as kubernetes.Interface) error {
	made, err := as.CertificatesV1().PodCertificateRequests(r.Namespace).Create(ctx, r.PodCertificateRequest, metav1.CreateOptions{})
	if err == nil {
		r.PodCertificateRequest = made
	}
	return err
}

// answer waits for a condition of the request, of the types that end it.
func (r *request) answer(ctx context.Context) error {
	got, err := host.CertificatesV1().PodCertificateRequests(r.Namespace).Get(ctx, r.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(got.Status.Conditions) == 0 {
		return errors.New("the request is unanswered")
	}
	r.PodCertificateRequest = got
	return nil
}

// identify gets a pod its certificate.
func identify(t *testing.T, pod *corev1.Pod) tls.Certificate {
	t.Helper()
	r := newRequest(t, pod, &x509.CertificateRequest{})
	node := kubelet(t, nodeName)
	await.Eventually(t, soon, "the request being taken", func(ctx context.Context) error { return r.send(ctx, node) })
	await.Eventually(t, soon, "an answer", r.answer)
	if !meta.IsStatusConditionTrue(r.Status.Conditions, certificatesv1.PodCertificateRequestConditionTypeIssued) {
		t.Fatalf("got conditions %+v, want Issued", r.Status.Conditions)
	}
	certificate := tls.Certificate{PrivateKey: r.key}
	for block, rest := pem.Decode([]byte(r.Status.CertificateChain)); block != nil; block, rest = pem.Decode(rest) {
		certificate.Certificate = append(certificate.Certificate, block.Bytes)
	}
	return certificate
}

// meshRoots are the roots as they are published.
func meshRoots(t *testing.T) (*x509.CertPool, string) {
	t.Helper()
	bundle, err := host.CertificatesV1().ClusterTrustBundles().Get(t.Context(), sidecar.TrustBundle, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(bundle.Spec.TrustBundle)) {
		t.Fatalf("no certificate in %q", bundle.Spec.TrustBundle)
	}
	return pool, bundle.Spec.TrustBundle
}
