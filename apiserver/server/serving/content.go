// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Keys of the Secret beside tls.crt and tls.key, which are the pair in use.
const (
	nextCertificateKey     = "next.crt"
	nextPrivateKeyKey      = "next.key"
	previousCertificateKey = "previous.crt"
)

// settle is how long a bundle is out before the pair that it is for is used: every
// kube-apiserver must have heard of it, and they hear by watches.
const settle = 30 * time.Second

// content is what the Secret keeps: the pair in use, the one to come while its
// certificate goes out in the bundles, and the certificate of the one before,
// which a slower replica may still be using.
type content struct {
	current  pair
	next     *pair
	previous []byte
}

// bundle is what clients are to trust, PEM.
func (c content) bundle() []byte {
	parts := [][]byte{c.current.certificate}
	if c.next != nil {
		parts = append(parts, c.next.certificate)
	}
	return bytes.Join(append(parts, c.previous), nil)
}

// prepare brings in the pair to come.
func (c content) prepare(next pair) content {
	return content{current: c.current, next: &next}
}

// promote puts the pair to come in use.
func (c content) promote() content {
	return content{current: *c.next, previous: c.current.certificate}
}

// renewAt is when a pair to come is made.
func (c content) renewAt() time.Time { return c.current.leaf.NotAfter.Add(-renewal) }

// promoteAt is when the pair to come may be used at the earliest.
func (c content) promoteAt() time.Time { return c.next.leaf.NotBefore.Add(backdate + settle) }

func (c content) encode() map[string][]byte {
	data := map[string][]byte{
		corev1.TLSCertKey:       c.current.certificate,
		corev1.TLSPrivateKeyKey: c.current.key,
	}
	if c.next != nil {
		data[nextCertificateKey] = c.next.certificate
		data[nextPrivateKeyKey] = c.next.key
	}
	if c.previous != nil {
		data[previousCertificateKey] = c.previous
	}
	return data
}

func decode(data map[string][]byte) (content, error) {
	current, err := parse(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return content{}, err
	}
	c := content{current: current, previous: data[previousCertificateKey]}
	if len(data[nextCertificateKey]) > 0 {
		next, err := parse(data[nextCertificateKey], data[nextPrivateKeyKey])
		if err != nil {
			return content{}, fmt.Errorf("pair to come: %w", err)
		}
		c.next = &next
	}
	return c, nil
}
