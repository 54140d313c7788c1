// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of the mesh's own kinds.
const GroupName = "mesh.openservicemesh.io"

// SchemeGroupVersion is the group and version of the kinds in this package.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

var (
	// SchemeBuilder collects what this package adds to a scheme; the generated
	// conversions and defaults join it.
	SchemeBuilder      = runtime.NewSchemeBuilder(addKnownTypes)
	localSchemeBuilder = &SchemeBuilder
	// AddToScheme adds the kinds of this package to a scheme.
	AddToScheme = localSchemeBuilder.AddToScheme
)

// Resource gives the group and resource of an unqualified resource of this package.
func Resource(resource string) schema.GroupResource {
	return SchemeGroupVersion.WithResource(resource).GroupResource()
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		&MeshPolicy{},
		&MeshPolicyList{},
		&MeshConfig{},
		&MeshConfigList{},
		&MeshRoute{},
		&MeshRouteList{},
	)
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}

// The generated conversions and validation register themselves likewise.
func init() {
	localSchemeBuilder.Register(addDefaultingFuncs)
}
