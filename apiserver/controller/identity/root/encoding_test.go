// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package root

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEveryStepOfARenewalIsReadBack(t *testing.T) {
	at := now.Truncate(time.Second)
	signing, next, previous := generate(t), generate(t), generate(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"of": "another"}}, Data: map[string][]byte{"ca.crt": []byte("of another")}}
	for _, k := range []Keyring{
		{Signing: signing, Longest: 24 * time.Hour},
		{Signing: signing, Longest: 48 * time.Hour, Next: next},
		{Signing: signing, Longest: 48 * time.Hour, Next: next, Published: at},
		{Signing: next, Longest: 24 * time.Hour, Previous: signing.certificate, Until: at.Add(time.Hour)},
		{Signing: next, Longest: 24 * time.Hour, Previous: previous.certificate, Next: signing},
		{Signing: next, Longest: 24 * time.Hour},
	} {
		if err := k.encode(secret); err != nil {
			t.Fatal(err)
		}
		got, err := decode(secret)
		if err != nil {
			t.Fatal(err)
		}
		same := cmp.Comparer(func(a, b *Root) bool {
			return a == b || a != nil && b != nil && bytes.Equal(a.certificate.Raw, b.certificate.Raw)
		})
		if diff := cmp.Diff(k, got, same); diff != "" {
			t.Errorf("%s: -want +got:\n%s", k.Phase(), diff)
		}
		if secret.Labels["of"] != "another" || string(secret.Data["ca.crt"]) != "of another" {
			t.Errorf("what is of another was changed: %v %v", secret.Labels, secret.Data)
		}
	}
}

func TestBeginTakesTheOperatorsAnnotationAway(t *testing.T) {
	secret := secretOf(t, Keyring{Signing: generate(t), Longest: time.Hour})
	secret.Annotations[RenewAnnotation] = RenewNow
	k, err := decode(secret)
	if err != nil || !k.Requested {
		t.Fatalf("requested %t, error %v", k.Requested, err)
	}
	if err := after(t, k, Begin, Facts{Now: now}).encode(secret); err != nil {
		t.Fatal(err)
	}
	if _, there := secret.Annotations[RenewAnnotation]; there {
		t.Error("it is there")
	}
}

// A root of a server that recorded no lives may have signed the longest, and an
// annotation that somebody broke shortens nothing.
func TestUnreadableAnnotationsTrustLongerAndSignLater(t *testing.T) {
	for _, value := range []string{"", "soon", "-1h"} {
		secret := secretOf(t, Keyring{Signing: generate(t), Next: generate(t), Longest: time.Hour})
		for _, name := range []string{LongestAnnotation, PublishedAnnotation, UntilAnnotation} {
			secret.Annotations[name] = value
		}
		k, err := decode(secret)
		if err != nil {
			t.Fatal(err)
		}
		if k.Longest != MaxLeafLife || !k.Published.IsZero() || !k.Until.IsZero() {
			t.Errorf("%q: longest %s, published %s, until %s", value, k.Longest, k.Published, k.Until)
		}
	}
}

func TestBrokenSecretIsUnusableInEveryPart(t *testing.T) {
	whole := secretOf(t, Keyring{Signing: generate(t), Next: generate(t), Previous: generate(t).certificate, Longest: time.Hour})
	for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey, NextCertKey, NextPrivateKeyKey, PreviousCertKey} {
		broken := whole.DeepCopy()
		broken.Data[key] = []byte("x")
		if _, err := decode(broken); !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: got error %v, want ErrUnusable", key, err)
		}
	}
	half := whole.DeepCopy()
	delete(half.Data, NextPrivateKeyKey)
	if _, err := decode(half); !errors.Is(err, ErrUnusable) {
		t.Errorf("without %s: got error %v, want ErrUnusable", NextPrivateKeyKey, err)
	}
}

func secretOf(t *testing.T, k Keyring) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	if err := k.encode(secret); err != nil {
		t.Fatal(err)
	}
	return secret
}
