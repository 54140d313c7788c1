// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

// intermediate is an Issuer below a root, as one of another system is.
type intermediate struct {
	ca leaf.CA
	// above are the certificates from the CA's own upwards, without the root.
	above [][]byte
	// bend changes what is issued.
	bend func(wanted *leaf.Request, chain *[][]byte)
}

func (i intermediate) Ready() error { return nil }

func (i intermediate) Issue(_ context.Context, wanted leaf.Request) ([][]byte, error) {
	var chain [][]byte
	if i.bend != nil {
		i.bend(&wanted, &chain)
	}
	der, err := i.ca.Issue(wanted)
	chain = append([][]byte{der}, i.above...)
	if i.bend != nil {
		i.bend(&wanted, &chain)
	}
	return chain, err
}

// authorities makes a root and CAs below it, each signed by the one before.
func authorities(t *testing.T, below int, usages ...x509.ExtKeyUsage) (root *x509.Certificate, issuer intermediate) {
	t.Helper()
	parent := leaf.CA{}
	for n := range below + 1 {
		key := ecdsaKey(t, elliptic.P256())
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(n + 1)), Subject: pkix.Name{CommonName: strings.Repeat("sub ", n) + "root"},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
			KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		}
		if n > 0 {
			template.ExtKeyUsage = usages
		} else {
			parent = leaf.CA{Certificate: template, Key: key}
		}
		certificate := signed(t, template, key, parent)
		parent = leaf.CA{Certificate: certificate, Key: key}
		if n == 0 {
			root = certificate
		} else {
			issuer.above = append([][]byte{certificate.Raw}, issuer.above...)
		}
	}
	issuer.ca = parent
	return root, issuer
}

func signed(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey, by leaf.CA) *x509.Certificate {
	t.Helper()
	der, err := leaf.Sign(template, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func pool(certificates ...*x509.Certificate) *x509.CertPool {
	out := x509.NewCertPool()
	for _, c := range certificates {
		out.AddCert(c)
	}
	return out
}

func TestChainOfAnIssuerIsHandedOut(t *testing.T) {
	for below := range 3 {
		root, issuer := authorities(t, below)
		status, err := issue(t.Context(), verdict(t), settings, nil, issuer, pool(root), now)
		if err != nil {
			t.Fatalf("%d authorities between: %v", below, err)
		}
		var chain []*x509.Certificate
		for block, rest := pem.Decode([]byte(status.CertificateChain)); block != nil; block, rest = pem.Decode(rest) {
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			chain = append(chain, certificate)
		}
		if len(chain) != below+1 || !status.NotAfter.Time.Equal(chain[0].NotAfter) {
			t.Errorf("%d authorities between: %d certificates until %s, the first until %s", below, len(chain), status.NotAfter, chain[0].NotAfter)
		}
		for i, c := range append(chain[1:], root) {
			if err := chain[i].CheckSignatureFrom(c); err != nil {
				t.Errorf("%d authorities between: certificate %d: %v", below, i, err)
			}
		}
	}
}

func TestIssuerMayShortenALife(t *testing.T) {
	root, issuer := authorities(t, 1)
	issuer.bend = func(wanted *leaf.Request, chain *[][]byte) {
		if len(*chain) == 0 {
			wanted.Validity.NotAfter = wanted.Validity.NotBefore.Add(2 * time.Hour)
		}
	}
	status, err := issue(t.Context(), verdict(t), settings, nil, issuer, pool(root), now)
	if err != nil {
		t.Fatal(err)
	}
	if life := status.NotAfter.Sub(status.NotBefore.Time); life != 2*time.Hour {
		t.Errorf("lives %s by its status, want 2h", life)
	}
	if at := status.BeginRefreshAt.Sub(status.NotBefore.Time); at < time.Hour || at > 90*time.Minute {
		t.Errorf("is refreshed after %s", at)
	}
}

func TestIssuerIsNotBelieved(t *testing.T) {
	// before changes what the leaf is made of, after the chain.
	before := func(f func(*leaf.Request)) func(*leaf.Request, *[][]byte) {
		return func(wanted *leaf.Request, chain *[][]byte) {
			if len(*chain) == 0 {
				f(wanted)
			}
		}
	}
	after := func(f func([][]byte) [][]byte) func(*leaf.Request, *[][]byte) {
		return func(_ *leaf.Request, chain *[][]byte) {
			if len(*chain) > 0 {
				*chain = f(*chain)
			}
		}
	}
	thief := ecdsaKey(t, elliptic.P256())
	root, issuer := authorities(t, 2)
	other, _ := authorities(t, 0)
	for name, tc := range map[string]struct {
		bend  func(*leaf.Request, *[][]byte)
		roots *x509.CertPool
		want  string
	}{
		"another key":                    {bend: before(func(r *leaf.Request) { r.Key = thief.Public() }), want: "for another key"},
		"another account":                {bend: before(func(r *leaf.Request) { r.Name.ServiceAccount = "thief" }), want: "it names"},
		"another pod":                    {bend: before(func(r *leaf.Request) { r.Name.UID = "younger" }), want: "it names"},
		"another trust domain":           {bend: before(func(r *leaf.Request) { r.TrustDomain = "example.com" }), want: "trust domain"},
		"a longer life":                  {bend: before(func(r *leaf.Request) { r.Validity.NotAfter = r.Validity.NotAfter.Add(time.Second) }), want: "longer than was asked for"},
		"an earlier life":                {bend: before(func(r *leaf.Request) { r.Validity.NotBefore = r.Validity.NotBefore.Add(-time.Hour) }), want: "longer than was asked for"},
		"a life that is too short":       {bend: before(func(r *leaf.Request) { r.Validity.NotAfter = now.Add(30 * time.Minute) }), want: "the API server takes none under"},
		"no certificate":                 {bend: after(func([][]byte) [][]byte { return nil }), want: "there is none"},
		"what is no certificate":         {bend: after(func([][]byte) [][]byte { return [][]byte{[]byte("x")} }), want: "x509"},
		"a chain that lacks a link":      {bend: after(func(c [][]byte) [][]byte { return c[:2] }), want: "unknown authority"},
		"a chain in another order":       {bend: after(func(c [][]byte) [][]byte { return [][]byte{c[0], c[2], c[1]} }), want: "in order"},
		"a chain with its root":          {bend: after(func(c [][]byte) [][]byte { return append(slices.Clone(c), root.Raw) }), want: "without the root"},
		"a chain with one that leads on": {bend: after(func(c [][]byte) [][]byte { return append(slices.Clone(c), other.Raw) }), want: "in order"},
		"an authority's own":             {bend: after(func(c [][]byte) [][]byte { return c[1:] }), want: "both ends"},
		"a root that is not published":   {roots: pool(other), want: "unknown authority"},
		"no published root":              {roots: pool(), want: "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			bent, roots := issuer, pool(root)
			bent.bend = tc.bend
			if tc.roots != nil {
				roots = tc.roots
			}
			_, err := issue(t.Context(), verdict(t), settings, nil, bent, roots, now)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestAuthorityThatIsForOneEndAloneIsNotBelieved(t *testing.T) {
	for _, usage := range usages {
		root, issuer := authorities(t, 1, usage)
		_, err := issue(t.Context(), verdict(t), settings, nil, issuer, pool(root), now)
		if want := (x509.CertificateInvalidError{}); !errors.As(err, &want) || want.Reason != x509.IncompatibleUsage {
			t.Errorf("usage %d: got error %v, want an incompatible usage", usage, err)
		}
	}
}
