// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto/rand"
	"crypto/x509"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

// BenchmarkIssue takes a request to its verified chain, with all that is live read
// and the answer not written: what the signer itself costs. Run it with -cpu 1.
func BenchmarkIssue(b *testing.B) {
	w, _ := sound(b)
	root := generate(b, now)
	issuer, roots := builtin{root.CA()}, trust(root.PEM())
	for b.Loop() {
		v := w.decide()
		if v.Outcome != Issue {
			b.Fatalf("got %s: %s", v.Outcome, v.Message)
		}
		if _, err := issue(b.Context(), v, settings, w.request.Spec.MaxExpirationSeconds, issuer, roots, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "certs/s")
}

// BenchmarkBareIssue is the least that BenchmarkIssue can cost: the same
// certificate by x509.CreateCertificate, and Verify, in a pool made beforehand.
func BenchmarkBareIssue(b *testing.B) {
	w, _ := sound(b)
	v := w.decide()
	root := generate(b, now)
	issuer := root.CA()
	template, err := leaf.Template(v.Name, settings.TrustDomain, want(v, settings, nil, now).Validity)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(issuer.Certificate)
	options := x509.VerifyOptions{Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for b.Loop() {
		der, err := x509.CreateCertificate(rand.Reader, template, issuer.Certificate, v.Key, issuer.Key)
		if err != nil {
			b.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := certificate.Verify(options); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "certs/s")
}
