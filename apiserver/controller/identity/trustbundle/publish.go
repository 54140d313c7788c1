// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package trustbundle

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Get reads the bundle, nil if there is none.
func Get(ctx context.Context, client kubernetes.Interface) (*certificatesv1.ClusterTrustBundle, error) {
	bundle, err := client.CertificatesV1().ClusterTrustBundles().Get(ctx, sidecar.TrustBundle, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ClusterTrustBundle: %w", err)
	}
	return bundle, nil
}

// Publish makes the bundle hold exactly the roots and gives what the API server
// then keeps. A bundle that changed meanwhile is an error, to be retried from
// Get.
func Publish(ctx context.Context, client kubernetes.Interface, current *certificatesv1.ClusterTrustBundle, k root.Keyring) (*certificatesv1.ClusterTrustBundle, error) {
	want, err := Plan(current, k)
	if err != nil {
		return nil, err
	}
	bundles := client.CertificatesV1().ClusterTrustBundles()
	switch {
	case want == nil:
		return current, nil
	case current == nil:
		current, err = bundles.Create(ctx, want, metav1.CreateOptions{})
	default:
		current, err = bundles.Update(ctx, want, metav1.UpdateOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("write ClusterTrustBundle: %w", err)
	}
	return current, nil
}
