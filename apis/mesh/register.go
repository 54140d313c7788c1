// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of the mesh's own kinds.
const GroupName = "mesh.openservicemesh.io"

// SchemeGroupVersion is the group with the hub's version.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: runtime.APIVersionInternal}

var (
	// SchemeBuilder collects what this package adds to a scheme.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme adds the hub types to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

// Resource gives the group and resource of an unqualified resource of this group.
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
	return nil
}
