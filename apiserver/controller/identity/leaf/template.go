// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package leaf

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Validity is the life of a certificate, in whole seconds: X.509 has no finer
// time, and kube-apiserver compares.
type Validity struct {
	NotBefore, NotAfter time.Time
}

// Life is how long it is.
func (v Validity) Life() time.Duration { return v.NotAfter.Sub(v.NotBefore) }

// CA signs: a certificate and its key.
type CA struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Template is a workload's certificate before it is signed: no subject, the
// SPIFFE ID as only SAN, the pod in the extension, for both ends of mTLS. Parse
// reads it back.
func Template(name Name, trustDomain string, v Validity) (*x509.Certificate, error) {
	if err := name.validate(); err != nil {
		return nil, fmt.Errorf("workload certificate: %w", err)
	}
	id, err := url.Parse(name.SPIFFEID(trustDomain))
	if err != nil {
		return nil, fmt.Errorf("workload certificate: %w", err)
	}
	pod, err := marshalUTF8(name.ProxyID().String())
	if err != nil {
		return nil, fmt.Errorf("encode pod extension: %w", err)
	}
	t := endEntity(v, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth)
	t.URIs = []*url.URL{id}
	t.ExtraExtensions = []pkix.Extension{{Id: podExtension, Value: pod}}
	return t, nil
}

// ControlPlaneTemplate is the xDS server's own certificate before it is signed:
// a single DNS SAN and no identity of the mesh. Nothing that answers a request
// of a workload calls it, so that no workload can pose as the control plane.
func ControlPlaneTemplate(systemNamespace string, v Validity) *x509.Certificate {
	t := endEntity(v, x509.ExtKeyUsageServerAuth)
	t.DNSNames = []string{sidecar.ControlPlaneName(systemNamespace)}
	return t
}

// Sign gives the DER of a template, for a public key, under a CA. The serial number
// is random.
func Sign(template *x509.Certificate, key crypto.PublicKey, ca CA) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, key, ca.Key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return der, nil
}

func endEntity(v Validity, usages ...x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		NotBefore:             v.NotBefore,
		NotAfter:              v.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           usages,
		BasicConstraintsValid: true,
	}
}
