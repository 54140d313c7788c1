// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pki makes the keys and certificates of tests. All tests of this module
// make theirs by it.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Pair is a certificate and its key, in PEM.
type Pair struct {
	Certificate, Key []byte
}

// Leaf says what a certificate is for. It serves both ends of a connection.
type Leaf struct {
	// Name is the common name; of a client, the user.
	Name string
	// Groups are the organisations; of a client, the user's groups.
	Groups   []string
	DNSNames []string
	// Addresses are IP addresses.
	Addresses []string
	// NotBefore is an hour ago if it is not set. The end is a day ahead.
	NotBefore time.Time
}

func (l Leaf) template() *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: l.Name, Organization: l.Groups},
		DNSNames:              l.DNSNames,
		NotBefore:             l.NotBefore,
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if t.NotBefore.IsZero() {
		t.NotBefore = time.Now().Add(-time.Hour)
	}
	for _, address := range l.Addresses {
		t.IPAddresses = append(t.IPAddresses, net.ParseIP(address))
	}
	return t
}

// NewKey makes a key, P-256.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// encodeKey gives a key in the form that kube-apiserver takes of every key: not
// PKCS#8 of that which signs tokens.
func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// SelfSigned makes a certificate that is its own trust anchor.
func SelfSigned(l Leaf) (Pair, error) { return sign(l, nil, nil) }

// Request makes a key, and a certificate request that it signs, in DER.
func Request(csr *x509.CertificateRequest) (*ecdsa.PrivateKey, []byte, error) {
	key, err := NewKey()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, csr, key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign a certificate request: %w", err)
	}
	return key, der, nil
}

// Authority is a throwaway CA.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// Certificate is its own, in PEM.
	Certificate []byte
}

// NewAuthority makes one.
func NewAuthority(name string) (*Authority, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	template := Leaf{Name: name}.template()
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the CA %s: %w", name, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the CA %s: %w", name, err)
	}
	return &Authority{certificate, key, encode(der)}, nil
}

// Issue makes a certificate that the authority signs.
func (a *Authority) Issue(l Leaf) (Pair, error) { return sign(l, a.certificate, a.key) }

// sign signs with the certificate's own key where no issuer is given.
func sign(l Leaf, issuer *x509.Certificate, signer *ecdsa.PrivateKey) (Pair, error) {
	key, err := NewKey()
	if err != nil {
		return Pair{}, err
	}
	template := l.template()
	if issuer == nil {
		issuer, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return Pair{}, fmt.Errorf("sign the certificate of %s: %w", l.Name, err)
	}
	encoded, err := encodeKey(key)
	return Pair{Certificate: encode(der), Key: encoded}, err
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
