// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package root

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)

func TestGeneratedRootIsReadBack(t *testing.T) {
	r := generate(t)
	got, err := Parse(r.PEM(), keyPEM(t, r))
	if err != nil {
		t.Fatal(err)
	}
	if got.Fingerprint() != r.Fingerprint() {
		t.Errorf("fingerprint %s, want %s", got.Fingerprint(), r.Fingerprint())
	}
}

func TestGeneratedRootSignsLeavesWithP256ForTenYears(t *testing.T) {
	r := generate(t)
	c := r.certificate
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key is %T, want ECDSA P-256", c.PublicKey)
	}
	if !c.IsCA || !c.MaxPathLenZero || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		t.Errorf("CA %t, path length zero %t, usage %b", c.IsCA, c.MaxPathLenZero, c.KeyUsage)
	}
	if got := c.NotAfter.Sub(c.NotBefore); got != Life {
		t.Errorf("life %s, want %s", got, Life)
	}
	if !c.NotBefore.Before(now) {
		t.Errorf("life begins at %s, after %s", c.NotBefore, now)
	}
}

func TestParseRefuses(t *testing.T) {
	r, other := generate(t), generate(t)
	notCA := signedLeaf(t, r)
	for name, tc := range map[string]struct{ certificate, key []byte }{
		"nothing":               {nil, nil},
		"another root's key":    {r.PEM(), keyPEM(t, other)},
		"two certificates":      {append(r.PEM(), other.PEM()...), keyPEM(t, r)},
		"a leaf":                {notCA.PEM(), keyPEM(t, r)},
		"a key without its CA":  {keyPEM(t, r), keyPEM(t, r)},
		"a certificate without": {r.PEM(), r.PEM()},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(tc.certificate, tc.key); !errors.Is(err, ErrUnusable) {
				t.Errorf("got error %v, want ErrUnusable", err)
			}
		})
	}
}

// signedLeaf has the root's own key, so that only its not being a CA is wrong.
func signedLeaf(t *testing.T, r *Root) *Root {
	t.Helper()
	v := leaf.Validity{NotBefore: now, NotAfter: now.Add(time.Hour)}
	der, err := leaf.Sign(leaf.ControlPlaneTemplate("mesh-system", v), r.key.Public(), r.CA())
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Root{certificate: c, key: r.key}
}

func generate(t *testing.T) *Root {
	t.Helper()
	r, err := Generate(now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func keyPEM(t *testing.T, r *Root) []byte {
	t.Helper()
	key, err := r.keyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
