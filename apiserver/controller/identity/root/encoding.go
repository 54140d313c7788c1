// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package root

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Keys of the Secret beside tls.crt and tls.key, which are the root that signs.
const (
	NextCertKey       = "next.crt"
	NextPrivateKeyKey = "next.key"
	PreviousCertKey   = "previous.crt"
)

// Annotations of the Secret. RenewAnnotation and AcceptAnnotation are the operator's:
// the one asks by the value RenewNow, the other names the present database by its ID.
// Times are RFC 3339, lives Go durations.
const (
	RenewAnnotation     = "mesh.openservicemesh.io/renew"
	RenewNow            = "now"
	PublishedAnnotation = "mesh.openservicemesh.io/next-root-published"
	UntilAnnotation     = "mesh.openservicemesh.io/previous-root-until"
	LongestAnnotation   = "mesh.openservicemesh.io/longest-leaf"
	DatabaseAnnotation  = "mesh.openservicemesh.io/database"
	AcceptAnnotation    = "mesh.openservicemesh.io/accept-database"
)

// decode reads a Secret. A certificate or key that is there and cannot be used is
// ErrUnusable. An annotation that cannot be read errs on the side of trusting longer
// and signing later.
func decode(secret *corev1.Secret) (Keyring, error) {
	signing, err := Parse(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return Keyring{}, err
	}
	k := Keyring{
		Signing:   signing,
		Requested: secret.Annotations[RenewAnnotation] == RenewNow,
		Published: decodeTime(secret.Annotations[PublishedAnnotation]),
		Until:     decodeTime(secret.Annotations[UntilAnnotation]),
		Longest:   MaxLeafLife,
		Database:  secret.Annotations[DatabaseAnnotation],
		Accepted:  secret.Annotations[AcceptAnnotation],
	}
	if longest, err := time.ParseDuration(secret.Annotations[LongestAnnotation]); err == nil && longest > 0 {
		k.Longest = longest
	}
	if len(secret.Data[NextCertKey])+len(secret.Data[NextPrivateKeyKey]) > 0 {
		if k.Next, err = Parse(secret.Data[NextCertKey], secret.Data[NextPrivateKeyKey]); err != nil {
			return Keyring{}, fmt.Errorf("%s, %s: %w", NextCertKey, NextPrivateKeyKey, err)
		}
	}
	if previous := secret.Data[PreviousCertKey]; len(previous) > 0 {
		if k.Previous, err = decodeCertificate(previous); err != nil {
			return Keyring{}, fmt.Errorf("%w: %s: %w", ErrUnusable, PreviousCertKey, err)
		}
	}
	return k, nil
}

// encode writes a Keyring into a Secret and leaves the rest of that alone.
func (k Keyring) encode(secret *corev1.Secret) error {
	data := map[string][]byte{corev1.TLSCertKey: k.Signing.PEM(), NextCertKey: nil, NextPrivateKeyKey: nil, PreviousCertKey: nil}
	var err error
	if data[corev1.TLSPrivateKeyKey], err = k.Signing.keyPEM(); err != nil {
		return err
	}
	if k.Next != nil {
		data[NextCertKey] = k.Next.PEM()
		if data[NextPrivateKeyKey], err = k.Next.keyPEM(); err != nil {
			return err
		}
	}
	if k.Previous != nil {
		data[PreviousCertKey] = certificatePEM(k.Previous)
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	for key, value := range data {
		if value == nil {
			delete(secret.Data, key)
		} else {
			secret.Data[key] = value
		}
	}
	annotate(secret, PublishedAnnotation, encodeTime(k.Published))
	annotate(secret, UntilAnnotation, encodeTime(k.Until))
	annotate(secret, LongestAnnotation, k.Longest.String())
	annotate(secret, DatabaseAnnotation, k.Database)
	annotate(secret, AcceptAnnotation, k.Accepted)
	if !k.Requested && secret.Annotations[RenewAnnotation] == RenewNow {
		annotate(secret, RenewAnnotation, "")
	}
	return nil
}

func annotate(secret *corev1.Secret, name, value string) {
	if value == "" {
		delete(secret.Annotations, name)
		return
	}
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, name, value)
}

func decodeCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("no PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// decodeTime gives zero for what is absent or no time.
func decodeTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func encodeTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
