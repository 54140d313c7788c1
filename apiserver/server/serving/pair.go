// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

// A pair lives 90 days and is replaced when two thirds of them are over. Its life
// begins early for clocks that are behind.
const (
	life     = 90 * 24 * time.Hour
	renewal  = life / 3
	backdate = 5 * time.Minute
)

// pair is a self-signed serving certificate and its key, PEM. The certificate is
// its own trust anchor: no key of a CA exists that could make another.
type pair struct {
	certificate, key []byte
	leaf             *x509.Certificate
}

// generate makes a pair for DNS names.
func generate(names []string, now time.Time) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("generate serving key: %w", err)
	}
	notBefore := now.Add(-backdate).UTC().Truncate(time.Second)
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: names[0]},
		DNSNames:              names,
		NotBefore:             notBefore,
		NotAfter:              notBefore.Add(life),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := leaf.Sign(template, key.Public(), leaf.CA{Certificate: template, Key: key})
	if err != nil {
		return pair{}, fmt.Errorf("make serving certificate: %w", err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return pair{}, fmt.Errorf("encode serving key: %w", err)
	}
	return parse(pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der}), keyPEM)
}

// parse reads a pair and refuses a key that is not the certificate's.
func parse(certificate, key []byte) (pair, error) {
	parsed, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return pair{}, fmt.Errorf("parse serving pair: %w", err)
	}
	return pair{certificate: certificate, key: key, leaf: parsed.Leaf}, nil
}

// serves tells whether clients accept the pair for all names at a time.
func (p pair) serves(names []string, now time.Time) bool {
	for _, name := range names {
		if p.leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return now.Before(p.leaf.NotAfter)
}
