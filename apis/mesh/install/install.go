// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package install adds the group mesh.openservicemesh.io, with all its
// versions, to a scheme.
package install

import (
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// Install adds the hub types and every version of the group to the scheme.
func Install(scheme *runtime.Scheme) {
	utilruntime.Must(mesh.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	utilruntime.Must(scheme.SetVersionPriority(v1alpha1.SchemeGroupVersion))
}
