// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/registry/status"
)

// REST serves MeshPolicies.
type REST struct {
	*registry.Store
}

var (
	_ rest.StandardStorage    = &REST{}
	_ rest.ShortNamesProvider = &REST{}
	_ rest.CategoriesProvider = &REST{}
)

// NewREST gives the storage of MeshPolicies and of their status.
func NewREST(optsGetter generic.RESTOptionsGetter, config Config) (*REST, *status.REST, error) {
	strategy := newStrategy(config)
	store := &registry.Store{
		NewFunc:                   func() runtime.Object { return &mesh.MeshPolicy{} },
		NewListFunc:               func() runtime.Object { return &mesh.MeshPolicyList{} },
		DefaultQualifiedResource:  mesh.Resource("meshpolicies"),
		SingularQualifiedResource: mesh.Resource("meshpolicy"),

		CreateStrategy:      strategy,
		UpdateStrategy:      strategy,
		DeleteStrategy:      strategy,
		ResetFieldsStrategy: strategy,

		TableConvertor: tableConvertor,
	}
	if err := store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: optsGetter}); err != nil {
		return nil, nil, err
	}
	return &REST{store}, status.NewREST(store, statusStrategy{strategy}), nil
}

// ShortNames are what kubectl takes for meshpolicies.
func (*REST) ShortNames() []string { return []string{"mp"} }

// Categories are the groups of kinds that MeshPolicy belongs to.
func (*REST) Categories() []string { return []string{"mesh"} }
