// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
	"github.com/openservicemesh/mesh-apiserver/test/pki"
)

// bundled are the objects that send kube-apiserver to the server, and where each
// says whom to trust there.
var bundled = map[string][]string{
	"apiservice/" + harness.APIService:            {"{.spec.caBundle}"},
	"mutatingwebhookconfiguration/mesh-apiserver": {"{.webhooks[0].clientConfig.caBundle}", "{.webhooks[1].clientConfig.caBundle}"},
}

func TestCABundlesHoldTheServingCertificate(t *testing.T) {
	for object, paths := range bundled {
		for _, path := range paths {
			if err := trusts(t.Context(), object, path, servingCertificate(t)); err != nil {
				t.Error(err)
			}
		}
	}
	if out := kubectl(t, "", "get", "apiservice", harness.APIService, "-o", "jsonpath={.spec.insecureSkipTLSVerify}"); out == "true" {
		t.Error("the aggregator does not look at the serving certificate")
	}
}

func TestStrippedCABundlesComeBack(t *testing.T) {
	stripBundles(t)
	awaitBundles(t, servingCertificate(t))
}

func stripBundles(t *testing.T) {
	t.Helper()
	kubectl(t, "", "patch", "apiservice", harness.APIService, "--type=json", "-p", `[{"op":"remove","path":"/spec/caBundle"}]`)
	kubectl(t, "", "patch", "mutatingwebhookconfiguration", "mesh-apiserver", "--type=json", "-p",
		`[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"},{"op":"remove","path":"/webhooks/1/clientConfig/caBundle"}]`)
}

// A pair that ends soon is replaced by the server, in two steps: its certificate
// goes out beside the old one, and is served after kube-apiserver had time to hear
// of it. No request of a user fails on the way.
func TestRenewedServingCertificateReachesTheBundlesBeforeItIsServed(t *testing.T) {
	certificate, key := expiring(t)
	secrets := host.CoreV1().Secrets(harness.SystemNamespace)
	secret, err := secrets.Get(t.Context(), harness.ServingSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secret.Data = map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key}
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	awaitBundles(t, certificate)

	await.Eventually(t, soon, "the API being reached again", func(ctx context.Context) error {
		_, err := client.MeshV1alpha1().MeshPolicies("").List(ctx, metav1.ListOptions{})
		return err
	})
	await.Eventually(t, soon, "a new pair being served", func(ctx context.Context) error {
		if _, err := client.MeshV1alpha1().MeshPolicies("").List(ctx, metav1.ListOptions{}); err != nil {
			t.Fatalf("a request failed while the pair was renewed: %v", err)
		}
		if bytes.Equal(served(t, server.Address+":8443"), decodePEM(t, certificate)) {
			return errors.New("the old one is")
		}
		return nil
	})
	renewed := servingCertificate(t)
	for _, port := range []string{":8443", ":9443"} {
		if !bytes.Equal(served(t, server.Address+port), decodePEM(t, renewed)) {
			t.Errorf("port %s serves another certificate than the Secret's", port)
		}
	}
	awaitBundles(t, renewed)
}

func awaitBundles(t *testing.T, certificate []byte) {
	t.Helper()
	for object, paths := range bundled {
		for _, path := range paths {
			await.Eventually(t, soon, object+" trusting the server", func(ctx context.Context) error {
				return trusts(ctx, object, path, certificate)
			})
		}
	}
}

// trusts tells whether the caBundle at a path of an object holds a certificate, PEM.
func trusts(ctx context.Context, object, path string, certificate []byte) error {
	out, err := kube.Kubectl(ctx, "", "get", object, "-o", "jsonpath="+path)
	if err != nil {
		return err
	}
	bundle, err := base64.StdEncoding.DecodeString(strings.TrimSpace(out))
	if err != nil {
		return err
	}
	if !bytes.Contains(bundle, bytes.TrimSpace(certificate)) {
		return fmt.Errorf("%s %s holds %d bytes without the serving certificate", object, path, len(bundle))
	}
	return nil
}

func servingCertificate(t *testing.T) []byte {
	t.Helper()
	secret, err := host.CoreV1().Secrets(harness.SystemNamespace).Get(t.Context(), harness.ServingSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret.Data[corev1.TLSCertKey]
}

// served is the leaf that an address shows, DER. Who it is is for the caller to see.
func served(t *testing.T, address string) []byte {
	t.Helper()
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0].Raw
}

func decodePEM(t *testing.T, data []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("not PEM: %q", data)
	}
	return block.Bytes
}

// expiring makes a pair such as the server's, PEM, a day before its end.
func expiring(t *testing.T) (certificate, key []byte) {
	t.Helper()
	return expiringFrom(t, time.Now().Add(-89*24*time.Hour))
}

// expiringFrom makes one that is valid from a time on and ends in a day.
func expiringFrom(t *testing.T, notBefore time.Time) (certificate, key []byte) {
	t.Helper()
	host, _, _ := strings.Cut(harness.ServerName, ".svc")
	name, _, _ := strings.Cut(host, ".")
	pair, err := pki.SelfSigned(pki.Leaf{Name: harness.ServerName, DNSNames: []string{harness.ServerName, host, name}, NotBefore: notBefore})
	if err != nil {
		t.Fatal(err)
	}
	return pair.Certificate, pair.Key
}
