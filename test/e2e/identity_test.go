// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
	"github.com/openservicemesh/mesh-apiserver/test/pki"
)

const (
	signer      = "mesh.openservicemesh.io/workload"
	trustBundle = "mesh.openservicemesh.io:workload:roots"
)

func TestCertificateNamesTheAccountAndChainsToTheRoots(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	roots := publishedRoots(t)
	var leaf *x509.Certificate
	// Without a client certificate: in TLS 1.3 the server's own is seen, and
	// verified, before the server refuses.
	conn, err := tls.Dial("tcp", shop.IP+":9000", &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"mesh-tcp"}, InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf = state.PeerCertificates[0]
			intermediates := x509.NewCertPool()
			for _, certificate := range state.PeerCertificates[1:] {
				intermediates.AddCert(certificate)
			}
			_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, want := leaf.URIs, "spiffe://cluster.local/ns/"+shop.Namespace+"/sa/shop"; len(got) != 1 || got[0].String() != want {
		t.Errorf("got URI SANs %v, want %s alone", got, want)
	}
	if len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) > 0 {
		t.Errorf("the certificate has other names: %v %v %v", leaf.DNSNames, leaf.IPAddresses, leaf.EmailAddresses)
	}
	if got := conn.ConnectionState().CurveID; got != tls.X25519MLKEM768 {
		t.Errorf("negotiated %s, want X25519MLKEM768", got)
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d bytes (%v) without a client certificate, want a refusal", n, err)
	}
}

func TestSidecarsNegotiateTheHybridCurve(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	wantGet(t, buyer, "200", shop.URL("/"))
	stats, err := shop.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Sum("ssl_curves", "X25519MLKEM768") == 0 {
		t.Errorf("the server's proxy counts no handshake with X25519MLKEM768")
	}
}

// The request is good in every way, but for who makes it.
func TestAForgedCertificateRequestIsRefused(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	allowTenant(t, shop.Namespace)
	tenant := rest.CopyConfig(live.Config)
	tenant.Impersonate = rest.ImpersonationConfig{UserName: "tenant"}
	for name, config := range map[string]*rest.Config{"a tenant": tenant, "an administrator": live.Config} {
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		request := certificateRequest(t, shop.Pod)
		// Until kube-apiserver's authorizer knows the role, that refuses the tenant.
		await.State(t, soon, func() (string, bool) {
			_, err := client.CertificatesV1().PodCertificateRequests(shop.Namespace).Create(t.Context(), request, metav1.CreateOptions{})
			if err == nil {
				t.Fatalf("a request made by %s is taken", name)
			}
			return fmt.Sprintf("a request made by %s: got %v, want the refusal of the policy mesh-podcertificate", name, err),
				strings.Contains(err.Error(), "kubelet") && strings.Contains(err.Error(), "mesh-podcertificate")
		})
	}
}

func allowTenant(t *testing.T, namespace string) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "tenant"}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"podcertificaterequests"}, Verbs: []string{"create"},
	}}}
	binding := &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "tenant"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "tenant"}}}
	if _, err := live.Core.RbacV1().Roles(namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := live.Core.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func certificateRequest(t *testing.T, pod *cluster.Pod) *certificatesv1.PodCertificateRequest {
	t.Helper()
	_, stub, err := pki.Request(&x509.CertificateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	account, err := live.Core.CoreV1().ServiceAccounts(pod.Namespace).Get(t.Context(), pod.Account, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node, err := live.Core.CoreV1().Nodes().Get(t.Context(), pod.Node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	day := int32(86400)
	return &certificatesv1.PodCertificateRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "forged-", Namespace: pod.Namespace},
		Spec: certificatesv1.PodCertificateRequestSpec{
			SignerName: signer, PodName: pod.Name, PodUID: types.UID(pod.UID),
			ServiceAccountName: pod.Account, ServiceAccountUID: account.UID,
			NodeName: types.NodeName(node.Name), NodeUID: node.UID,
			MaxExpirationSeconds: &day, StubPKCS10Request: stub,
		},
	}
}

func publishedRoots(t *testing.T) *x509.CertPool {
	t.Helper()
	bundle, err := live.Core.CertificatesV1().ClusterTrustBundles().Get(t.Context(), trustBundle, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(bundle.Spec.TrustBundle)) {
		t.Fatal("the ClusterTrustBundle holds no certificate")
	}
	return roots
}
