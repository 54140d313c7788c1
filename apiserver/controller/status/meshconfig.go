// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	listers "github.com/openservicemesh/mesh-apiserver/generated/listers/mesh/v1alpha1"
)

// KindMeshConfig is the kind of the target that MeshConfigs makes.
const KindMeshConfig = "MeshConfig"

// MeshConfigs is the target of MeshConfig. What it says is in all that proxies are
// sent, so no counts of its own are kept.
func MeshConfigs(client versioned.Interface, lister listers.MeshConfigLister) Target {
	return Target{
		Kind: KindMeshConfig,
		Get:  func(key types.NamespacedName) (Object, error) { return lister.Get(key.Name) },
		Edit: func(o Object) (Object, Fields) {
			config := *o.(*v1alpha1.MeshConfig)
			config.Status = *config.Status.DeepCopy()
			return &config, Fields{Status: &config.Status, Conditions: &config.Status.Conditions}
		},
		Write: func(ctx context.Context, o Object) error {
			_, err := client.MeshV1alpha1().MeshConfigs().UpdateStatus(ctx, o.(*v1alpha1.MeshConfig), metav1.UpdateOptions{FieldManager: fieldManager})
			return err
		},
	}
}
