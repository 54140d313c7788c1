// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +groupName=mesh.openservicemesh.io

// Package mesh is the hub of the group mesh.openservicemesh.io: the shape that
// the registry works on, whatever version a client speaks. The fields are
// documented where users see them, in v1alpha1.
package mesh
