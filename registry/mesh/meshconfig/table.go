// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshconfig

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/registry/table"
)

var tableConvertor = table.Convertor{
	Columns: []table.Column{
		{Name: "Access", Type: "string", Description: "Who may call a port that no Allow policy has closed."},
		{Name: "mTLS", Type: "string", Description: "Whether workloads take plaintext."},
		{Name: "Unmeshed", Type: "string", Description: "Whether meshed callers may reach endpoints outside the mesh."},
		{Name: "Egress", Type: "string", Description: "What happens to a connection to an address that no Service names."},
		{Name: "Trust Domain", Type: "string", Description: "The SPIFFE trust domain of every identity."},
		{Name: "Lifetime", Type: "string", Description: "The lifetime of a workload's certificate.", Wide: true},
		{Name: "Image", Type: "string", Description: "The proxy's image, if it is not the server's own choice.", Wide: true},
	},
	Cells: func(obj runtime.Object) []any {
		spec := obj.(*mesh.MeshConfig).Spec
		return []any{
			string(spec.Traffic.Access),
			string(spec.Traffic.MTLS),
			string(spec.Traffic.Unmeshed),
			string(spec.Traffic.Egress),
			spec.Certificate.TrustDomain,
			spec.Certificate.Lifetime.Duration.String(),
			spec.Sidecar.Image,
		}
	},
}
