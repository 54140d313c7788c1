// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestCertificatesAreTrustedByWhatSignedThem(t *testing.T) {
	authority, err := NewAuthority("ca")
	if err != nil {
		t.Fatal(err)
	}
	leaf := Leaf{Name: "server", Groups: []string{"group"}, DNSNames: []string{"server.test"}, Addresses: []string{"192.0.2.1"}}
	issued, err := authority.Issue(leaf)
	if err != nil {
		t.Fatal(err)
	}
	own, err := SelfSigned(leaf)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		pair  Pair
		roots []byte
	}{"issued": {issued, authority.Certificate}, "its own anchor": {own, own.Certificate}} {
		pair, err := tls.X509KeyPair(test.pair.Certificate, test.pair.Key)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(test.roots)
		for _, host := range []string{"server.test", "192.0.2.1"} {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if pair.Leaf.Subject.CommonName != "server" || len(pair.Leaf.Subject.Organization) != 1 {
			t.Errorf("%s: is of %s", name, pair.Leaf.Subject)
		}
	}
}

func TestARequestIsSignedByItsKey(t *testing.T) {
	key, der, err := Request(&x509.CertificateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := csr.CheckSignature(); err != nil || !key.PublicKey.Equal(csr.PublicKey) {
		t.Errorf("the request is of another key: %v", err)
	}
}
