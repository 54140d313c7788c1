// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trustbundle publishes the roots as a ClusterTrustBundle. The bundle is
// also the memory that a root was given out: it outlives the root's Secret.
package trustbundle

import (
	"bytes"
	"encoding/pem"
	"errors"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// RootAnnotation on the bundle holds the fingerprint of the root that it was
// made for, and tells an edited bundle, which is put right, from an exchanged
// root, which is not.
const RootAnnotation = "mesh.openservicemesh.io/root-fingerprint"

// ErrRootExchanged says that the bundle was made for another root: whoever
// trusts it would refuse what the present one signs.
var ErrRootExchanged = errors.New("the ClusterTrustBundle " + model.TrustBundle + " was made for another root than the one in Secret " + root.SecretName)

// Plan says what the bundle is to become, given what it is (nil: absent) and the
// root. It gives nil if nothing is to be changed.
func Plan(current *certificatesv1.ClusterTrustBundle, r *root.Root) (*certificatesv1.ClusterTrustBundle, error) {
	if current == nil {
		return &certificatesv1.ClusterTrustBundle{
			ObjectMeta: metav1.ObjectMeta{
				Name:        model.TrustBundle,
				Annotations: map[string]string{RootAnnotation: r.Fingerprint()},
			},
			Spec: certificatesv1.ClusterTrustBundleSpec{
				SignerName:  model.TrustBundleSigner,
				TrustBundle: string(r.PEM()),
			},
		}, nil
	}
	marked := current.Annotations[RootAnnotation] == r.Fingerprint()
	if !marked && !holds(current.Spec.TrustBundle, r) {
		return nil, ErrRootExchanged
	}
	if marked && current.Spec.TrustBundle == string(r.PEM()) {
		return nil, nil
	}
	want := current.DeepCopy()
	metav1.SetMetaDataAnnotation(&want.ObjectMeta, RootAnnotation, r.Fingerprint())
	want.Spec.TrustBundle = string(r.PEM())
	return want, nil
}

// holds tells whether the root is one of the certificates of a bundle.
func holds(bundle string, r *root.Root) bool {
	wanted, _ := pem.Decode(r.PEM())
	for block, rest := pem.Decode([]byte(bundle)); block != nil; block, rest = pem.Decode(rest) {
		if bytes.Equal(block.Bytes, wanted.Bytes) {
			return true
		}
	}
	return false
}
