// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package trustbundle

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
)

func TestPlan(t *testing.T) {
	ours, theirs := root.Keyring{Signing: generate(t)}, generate(t)
	published := planned(t, nil, ours)

	for name, tc := range map[string]struct {
		edit func(*certificatesv1.ClusterTrustBundle)
		want *certificatesv1.ClusterTrustBundle
		err  error
	}{
		"leaves what is right": {
			edit: func(*certificatesv1.ClusterTrustBundle) {},
		},
		"takes out a root that somebody added": {
			edit: func(b *certificatesv1.ClusterTrustBundle) { b.Spec.TrustBundle += string(theirs.PEM()) },
			want: published,
		},
		"puts back a root that somebody exchanged in the bundle": {
			edit: func(b *certificatesv1.ClusterTrustBundle) { b.Spec.TrustBundle = string(theirs.PEM()) },
			want: published,
		},
		"puts back the mark": {
			edit: func(b *certificatesv1.ClusterTrustBundle) { b.Annotations = nil },
			want: published,
		},
		"refuses a root that the bundle was not made for": {
			edit: func(b *certificatesv1.ClusterTrustBundle) {
				b.Annotations[RootAnnotation] = theirs.Fingerprint()
				b.Spec.TrustBundle = string(theirs.PEM())
			},
			err: ErrRootExchanged,
		},
		"refuses a root that the bundle does not know, without its mark": {
			edit: func(b *certificatesv1.ClusterTrustBundle) {
				b.Annotations = nil
				b.Spec.TrustBundle = string(theirs.PEM())
			},
			err: ErrRootExchanged,
		},
	} {
		t.Run(name, func(t *testing.T) {
			current := published.DeepCopy()
			tc.edit(current)
			got, err := Plan(current, ours)
			if !errors.Is(err, tc.err) {
				t.Fatalf("got error %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPlanFollowsARenewal(t *testing.T) {
	old, next := generate(t), generate(t)
	before := root.Keyring{Signing: old}
	spreading := root.Keyring{Signing: old, Next: next}
	retiring := root.Keyring{Signing: next, Previous: old.CA().Certificate}
	after := root.Keyring{Signing: next}
	for name, tc := range map[string]struct {
		bundle, secret root.Keyring
		// want is nil if the bundle is of another root.
		want []byte
	}{
		"a next root is added":                             {before, spreading, append(old.PEM(), next.PEM()...)},
		"the mark follows the root that signs":             {spreading, retiring, append(old.PEM(), next.PEM()...)},
		"the previous root goes":                           {retiring, after, next.PEM()},
		"a next root that was given up goes":               {spreading, before, old.PEM()},
		"a Secret from before the promotion is exchanged":  {retiring, before, nil},
		"a Secret with the next root waiting is exchanged": {retiring, spreading, nil},
		"a Secret from before the end is exchanged":        {after, before, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Plan(planned(t, nil, tc.bundle), tc.secret)
			if tc.want == nil {
				if !errors.Is(err, ErrRootExchanged) {
					t.Errorf("got error %v, want ErrRootExchanged", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got == nil || got.Spec.TrustBundle != string(tc.want) || got.Annotations[RootAnnotation] != tc.secret.Signing.Fingerprint() {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
		})
	}
}

func planned(t *testing.T, current *certificatesv1.ClusterTrustBundle, k root.Keyring) *certificatesv1.ClusterTrustBundle {
	t.Helper()
	b, err := Plan(current, k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func generate(t *testing.T) *root.Root {
	t.Helper()
	r, err := root.Generate(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
