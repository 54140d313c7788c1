// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package root is the mesh's built-in certificate authority: a self-signed CA,
// kept in the Secret mesh-root of the system namespace, and its renewal, in which
// a next root is trusted before it signs and the previous one as long as what it
// has signed may live.
package root

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

// Life is how long a generated root lasts. Its renewal begins when a third is left.
const Life = 10 * 365 * 24 * time.Hour

// skew is how far back a root's life begins, for clocks that are behind.
const skew = 5 * time.Minute

// ErrUnusable says that a root was found, but cannot sign.
var ErrUnusable = errors.New("root is unusable")

// Root is the CA: its certificate and its key.
type Root struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// Generate makes a root with an ECDSA P-256 key that signs leaves only. It
// carries no name constraint: the trust domain is part of MeshConfig, which the
// root comes before, and every verifier of the mesh compares it anyway.
func Generate(now time.Time) (*Root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate root key: %w", err)
	}
	notBefore := now.Add(-skew).UTC().Truncate(time.Second)
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"mesh.openservicemesh.io"}, CommonName: "mesh root " + notBefore.Format(time.RFC3339)},
		NotBefore:             notBefore,
		NotAfter:              notBefore.Add(Life),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := leaf.Sign(template, key.Public(), leaf.CA{Certificate: template, Key: key})
	if err != nil {
		return nil, fmt.Errorf("make root: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make root: %w", err)
	}
	return &Root{certificate: certificate, key: key}, nil
}

// Parse reads a root from PEM. What cannot serve as one is ErrUnusable.
func Parse(certificatePEM, keyPEM []byte) (*Root, error) {
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if len(pair.Certificate) != 1 {
		return nil, fmt.Errorf("%w: %d certificates, want 1", ErrUnusable, len(pair.Certificate))
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: its key cannot sign", ErrUnusable)
	}
	if err := pair.Leaf.CheckSignatureFrom(pair.Leaf); err != nil {
		return nil, fmt.Errorf("%w: certificate is not a self-signed CA: %w", ErrUnusable, err)
	}
	return &Root{certificate: pair.Leaf, key: key}, nil
}

// CA is the root as a signer of leaves.
func (r *Root) CA() leaf.CA {
	return leaf.CA{Certificate: r.certificate, Key: r.key}
}

// NotAfter is the end of the root's life, and so of all that it signed.
func (r *Root) NotAfter() time.Time { return r.certificate.NotAfter }

// PEM is the certificate, as trust bundles hold it.
func (r *Root) PEM() []byte {
	return certificatePEM(r.certificate)
}

// Fingerprint is that of the root's certificate.
func (r *Root) Fingerprint() string { return Fingerprint(r.certificate.Raw) }

// Fingerprint is the SHA-256 of a certificate's DER, in lower-case hex.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func (r *Root) keyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return nil, fmt.Errorf("encode root key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
