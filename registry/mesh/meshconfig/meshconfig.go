// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshconfig keeps the one MeshConfig.
package meshconfig

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/validation"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
	"github.com/openservicemesh/mesh-apiserver/registry/table"
)

// Kind describes MeshConfig. A deletion resets it at once, so it has no finalizers.
var Kind = kind.Stored[*mesh.MeshConfig, mesh.MeshConfigSpec, mesh.MeshConfigStatus]{
	Names:   kind.Names{Resource: mesh.Resource("meshconfigs"), Singular: "meshconfig", Short: []string{"mcfg"}},
	New:     func() *mesh.MeshConfig { return &mesh.MeshConfig{} },
	NewList: func() runtime.Object { return &mesh.MeshConfigList{} },
	Spec:    func(config *mesh.MeshConfig) *mesh.MeshConfigSpec { return &config.Spec },
	Status:  func(config *mesh.MeshConfig) *mesh.MeshConfigStatus { return &config.Status },

	Validate:       validation.ValidateMeshConfig,
	ValidateUpdate: validation.ValidateMeshConfigUpdate,
	ValidateStatus: validation.ValidateMeshConfigStatus,

	Table:         table.Convertor[*mesh.MeshConfig]{Columns: columns, Cells: cells},
	DeletedAtOnce: true,
}

var columns = []table.Column{
	{Name: "Access", Type: "string", Description: "Who may call a port that no Allow policy has closed."},
	{Name: "mTLS", Type: "string", Description: "Whether workloads take plaintext."},
	{Name: "Unmeshed", Type: "string", Description: "Whether meshed callers may reach endpoints outside the mesh."},
	{Name: "Egress", Type: "string", Description: "What happens to a connection to an address that no Service names."},
	{Name: "Trust Domain", Type: "string", Description: "The SPIFFE trust domain of every identity."},
	{Name: "Lifetime", Type: "string", Description: "The lifetime of a workload's certificate.", Wide: true},
	{Name: "Image", Type: "string", Description: "The proxy's image, if it is not the server's own choice.", Wide: true},
}

func cells(config *mesh.MeshConfig) []any {
	spec := config.Spec
	return []any{
		string(spec.Traffic.Access),
		string(spec.Traffic.MTLS),
		string(spec.Traffic.Unmeshed),
		string(spec.Traffic.Egress),
		spec.Certificate.TrustDomain,
		spec.Certificate.Lifetime.Duration.String(),
		spec.Sidecar.Image,
	}
}
