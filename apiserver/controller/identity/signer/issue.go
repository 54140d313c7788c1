// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

// Limits that the API server holds certificates of pods to
// (PodCertificateRequestSpec.maxExpirationSeconds, and validation of status).
const (
	minLife        = time.Hour
	refreshMargin  = 10 * time.Minute
	defaultMaxLife = 24 * time.Hour
)

// backdate is how far back a leaf's life begins, for clocks that are behind. The
// API server allows 5 minutes by its own clock, which may be ahead of ours.
const backdate = 2 * time.Minute

// Settings are what MeshConfig says about certificates.
type Settings struct {
	// TrustDomain is the SPIFFE trust domain; empty: not known yet.
	TrustDomain string
	// Lifetime is the longest life of a leaf, at least 1 h; a pod may ask for less.
	Lifetime time.Duration
}

// lifetime is how long a leaf is to live: the shorter of what MeshConfig and the pod
// want.
func lifetime(settings Settings, maxExpirationSeconds *int32) time.Duration {
	life := defaultMaxLife
	if maxExpirationSeconds != nil {
		life = time.Duration(*maxExpirationSeconds) * time.Second
	}
	return min(life, settings.Lifetime).Truncate(time.Second)
}

// want is the certificate to ask an issuer for.
func want(v Verdict, settings Settings, maxExpirationSeconds *int32, now time.Time) leaf.Request {
	notBefore := now.Add(-backdate).UTC().Truncate(time.Second)
	return leaf.Request{
		Name:        v.Name,
		TrustDomain: settings.TrustDomain,
		Key:         v.Key,
		Validity:    leaf.Validity{NotBefore: notBefore, NotAfter: notBefore.Add(lifetime(settings, maxExpirationSeconds))},
	}
}

// checkLife refuses a life that the API server would refuse.
func checkLife(v leaf.Validity) error {
	if life := v.Life(); life < minLife {
		return fmt.Errorf("certificate would live %s, the API server takes none under %s", life, minLife)
	}
	return nil
}

// refreshAt lies between one half and two thirds of a leaf's life, where the UID
// puts it: pods that started together do not refresh together, and a third of
// the life is left to get over an outage. The API server wants 10 minutes before
// and after it.
func refreshAt(v leaf.Validity, uid string) time.Time {
	life := v.NotAfter.Sub(v.NotBefore)
	hash := fnv.New32a()
	hash.Write([]byte(uid))
	spread := time.Duration(float64(life/6) * float64(hash.Sum32()) / (1 << 32))
	at := (life/2 + spread).Truncate(time.Second)
	return v.NotBefore.Add(min(max(at, refreshMargin), life-refreshMargin))
}

// issue has signed what a verdict allows and gives the status that carries it. The
// chain is verified first: a certificate that nothing would believe is an error of
// ours, and nothing to hand out.
func issue(ctx context.Context, v Verdict, settings Settings, maxExpirationSeconds *int32, issuer Issuer, roots *x509.CertPool, now time.Time) (certificatesv1.PodCertificateRequestStatus, error) {
	none := certificatesv1.PodCertificateRequestStatus{}
	if settings.TrustDomain == "" {
		return none, errors.New("the trust domain is not known yet")
	}
	wanted := want(v, settings, maxExpirationSeconds, now)
	if err := checkLife(wanted.Validity); err != nil {
		return none, err
	}
	chain, err := issuer.Issue(ctx, wanted)
	if err != nil {
		return none, fmt.Errorf("issue the certificate of %s: %w", v.Name.ProxyID(), err)
	}
	life, err := verify(chain, wanted, roots, now)
	if err != nil {
		return none, fmt.Errorf("certificate of %s would not be believed: %w", v.Name.ProxyID(), err)
	}
	text, err := inPEM(chain)
	if err != nil {
		return none, err
	}
	begin := metav1.NewTime(refreshAt(life, v.Name.UID))
	notBefore, notAfter := metav1.NewTime(life.NotBefore), metav1.NewTime(life.NotAfter)
	return certificatesv1.PodCertificateRequestStatus{
		Conditions:       []metav1.Condition{condition(certificatesv1.PodCertificateRequestConditionTypeIssued, "Issued", "signed for "+v.Name.SPIFFEID(settings.TrustDomain), now)},
		CertificateChain: text,
		NotBefore:        &notBefore,
		BeginRefreshAt:   &begin,
		NotAfter:         &notAfter,
	}, nil
}

// inPEM makes the text in one piece: to let it grow and copy it in the end, as
// pem.EncodeToMemory does, took a sixtieth of a certificate's time.
func inPEM(chain [][]byte) (string, error) {
	size := 0
	for _, der := range chain {
		size += 2 * len(der)
	}
	var text strings.Builder
	text.Grow(size)
	for _, der := range chain {
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return "", fmt.Errorf("encode certificate: %w", err)
		}
	}
	return text.String(), nil
}

// denial is the status of a refusal.
func denial(v Verdict, now time.Time) certificatesv1.PodCertificateRequestStatus {
	return certificatesv1.PodCertificateRequestStatus{
		Conditions: []metav1.Condition{condition(certificatesv1.PodCertificateRequestConditionTypeDenied, v.Reason, v.Message, now)},
	}
}

func condition(kind, reason, message string, now time.Time) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now)}
}
