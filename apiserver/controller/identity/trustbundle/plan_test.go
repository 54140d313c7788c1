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
	ours, theirs := generate(t), generate(t)
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

func planned(t *testing.T, current *certificatesv1.ClusterTrustBundle, r *root.Root) *certificatesv1.ClusterTrustBundle {
	t.Helper()
	b, err := Plan(current, r)
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
