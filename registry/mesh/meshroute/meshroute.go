// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshroute keeps MeshRoutes.
package meshroute

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/validation"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/progress"
	"github.com/openservicemesh/mesh-apiserver/registry/table"
)

// Kind describes MeshRoute. Services may be nil: then nothing is warned about that is
// not there.
func Kind(services Services) kind.Stored[*mesh.MeshRoute, mesh.MeshRouteSpec, mesh.MeshRouteStatus] {
	return kind.Stored[*mesh.MeshRoute, mesh.MeshRouteSpec, mesh.MeshRouteStatus]{
		Names:   kind.Names{Resource: mesh.Resource("meshroutes"), Singular: "meshroute", Short: []string{"mr"}, Namespaced: true},
		New:     func() *mesh.MeshRoute { return &mesh.MeshRoute{} },
		NewList: func() runtime.Object { return &mesh.MeshRouteList{} },
		Spec:    func(route *mesh.MeshRoute) *mesh.MeshRouteSpec { return &route.Spec },
		Status:  func(route *mesh.MeshRoute) *mesh.MeshRouteStatus { return &route.Status },

		Validate:       validation.ValidateMeshRoute,
		ValidateUpdate: validation.ValidateMeshRouteUpdate,
		ValidateStatus: validation.ValidateMeshRouteStatus,
		Warnings:       func(route *mesh.MeshRoute) []string { return warnings(route, services) },

		Table: table.Convertor[*mesh.MeshRoute]{Columns: columns, Cells: cells},
	}
}

var columns = []table.Column{
	{Name: "Parents", Type: "string", Description: "The Services whose requests are routed."},
	{Name: "Accepted", Type: "string", Description: "Whether its parents are routed by it."},
	{Name: "Programmed", Type: "string", Description: "Whether every connected proxy that it affects has acknowledged this generation."},
	{Name: "Proxies", Type: "string", Description: "Connected proxies that have acknowledged the route, of those that it affects."},
}

func cells(route *mesh.MeshRoute) []any {
	return []any{
		parents(route.Spec.ParentRefs),
		progress.Condition(route.Status.Conditions, mesh.ConditionAccepted),
		progress.Condition(route.Status.Conditions, mesh.ConditionProgrammed),
		progress.Proxies(route.Status.Proxies),
	}
}

// parents are "Service/a:80,Service/b".
func parents(refs []mesh.RouteParentReference) string {
	var all []string
	for _, ref := range refs {
		one := ref.Kind + "/" + ref.Name
		if ref.Port != nil {
			one += fmt.Sprintf(":%d", *ref.Port)
		}
		all = append(all, one)
	}
	return strings.Join(all, ",")
}
