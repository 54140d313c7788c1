// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rest lists the kinds of the group mesh.openservicemesh.io.
package rest

import (
	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/meshconfig"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/meshroute"
)

// Config is what kinds must know beside the objects themselves.
type Config struct {
	// SystemNamespace is the namespace that the mesh itself lives in.
	SystemNamespace string
	// References tells what exists in the cluster, for warnings. It may be nil.
	References meshpolicy.References
}

// Group is the mesh's own group.
func Group(config Config) group.Group {
	return group.Group{Name: mesh.GroupName, Kinds: []kind.Kind{
		meshpolicy.Kind(config.SystemNamespace, config.References),
		meshconfig.Kind,
		meshroute.Kind(config.References),
	}}
}
