// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trustbundle publishes the roots as a ClusterTrustBundle. The bundle is
// also the memory that a root was given out: it outlives the root's Secret.
package trustbundle

import (
	"encoding/pem"
	"errors"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// RootAnnotation on the bundle holds the fingerprint of the root that signs, and
// tells an edited bundle, which is put right, from an exchanged root, which is not.
const RootAnnotation = "mesh.openservicemesh.io/root-fingerprint"

// ErrRootExchanged says that the bundle was made for another root: whoever
// trusts it would refuse what the present one signs.
var ErrRootExchanged = errors.New("the ClusterTrustBundle " + sidecar.TrustBundle + " was made for another root than the one in Secret " + root.SecretName)

// Plan says what the bundle is to become, given what it is (nil: absent) and the
// roots. It gives nil if nothing is to be changed.
func Plan(current *certificatesv1.ClusterTrustBundle, k root.Keyring) (*certificatesv1.ClusterTrustBundle, error) {
	if current == nil {
		return &certificatesv1.ClusterTrustBundle{
			ObjectMeta: metav1.ObjectMeta{
				Name:        sidecar.TrustBundle,
				Annotations: map[string]string{RootAnnotation: k.Signing.Fingerprint()},
			},
			Spec: certificatesv1.ClusterTrustBundleSpec{
				SignerName:  sidecar.TrustBundleSigner,
				TrustBundle: string(k.PEM()),
			},
		}, nil
	}
	if !isOf(current, k) {
		return nil, ErrRootExchanged
	}
	if IsWhole(current, k) {
		return nil, nil
	}
	want := current.DeepCopy()
	metav1.SetMetaDataAnnotation(&want.ObjectMeta, RootAnnotation, k.Signing.Fingerprint())
	want.Spec.TrustBundle = string(k.PEM())
	return want, nil
}

// IsWhole tells whether a bundle (nil: absent) is what the roots want.
func IsWhole(current *certificatesv1.ClusterTrustBundle, k root.Keyring) bool {
	return current != nil && current.Annotations[RootAnnotation] == k.Signing.Fingerprint() &&
		current.Spec.TrustBundle == string(k.PEM())
}

// isOf tells whether the bundle was made for these roots: by its mark, which may be
// one step of a renewal behind; or, if the mark is of no certificate that is
// published, by its certificates. A bundle that is marked for a root that it holds
// and we do not sign with is ahead of us: the Secret was restored from a copy made
// before the renewal.
func isOf(current *certificatesv1.ClusterTrustBundle, k root.Keyring) bool {
	mark := current.Annotations[RootAnnotation]
	if mark == k.Signing.Fingerprint() || k.Previous != nil && mark == root.Fingerprint(k.Previous.Raw) {
		return true
	}
	published := fingerprints(current.Spec.TrustBundle)
	return slices.Contains(published, k.Signing.Fingerprint()) && !slices.Contains(published, mark)
}

func fingerprints(bundle string) []string {
	var out []string
	for block, rest := pem.Decode([]byte(bundle)); block != nil; block, rest = pem.Decode(rest) {
		out = append(out, root.Fingerprint(block.Bytes))
	}
	return out
}
