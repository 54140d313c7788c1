// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +k8s:protobuf-gen=package
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=io.openservicemesh.mesh.v1alpha1
// +k8s:defaulter-gen=TypeMeta
// +k8s:validation-gen=TypesWithField=TypeMeta
// +k8s:conversion-gen=github.com/openservicemesh/mesh-apiserver/apis/mesh
// +groupName=mesh.openservicemesh.io

// Package v1alpha1 is what a user can say to the mesh, as kubectl sees it. The
// comments on the fields are what kubectl explain prints.
package v1alpha1
