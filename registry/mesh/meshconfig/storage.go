// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshconfig

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/registry/status"
)

// REST serves the MeshConfig.
type REST struct {
	*registry.Store
}

var (
	_ rest.StandardStorage    = &REST{}
	_ rest.ShortNamesProvider = &REST{}
	_ rest.CategoriesProvider = &REST{}
)

// NewREST gives the storage of the MeshConfig and of its status.
func NewREST(optsGetter generic.RESTOptionsGetter) (*REST, *status.REST, error) {
	strategy := newStrategy()
	store := &registry.Store{
		NewFunc:                   func() runtime.Object { return &mesh.MeshConfig{} },
		NewListFunc:               func() runtime.Object { return &mesh.MeshConfigList{} },
		DefaultQualifiedResource:  mesh.Resource("meshconfigs"),
		SingularQualifiedResource: mesh.Resource("meshconfig"),

		CreateStrategy:      strategy,
		UpdateStrategy:      strategy,
		DeleteStrategy:      strategy,
		ResetFieldsStrategy: strategy,

		TableConvertor: tableConvertor,
	}
	if err := store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: optsGetter}); err != nil {
		return nil, nil, err
	}
	// A deletion resets at once: foreground and orphan deletion would hold the
	// object back by a finalizer, and nothing depends on it.
	store.EnableGarbageCollection = false
	return &REST{store}, status.NewREST(store, statusStrategy{strategy}), nil
}

// ShortNames are what kubectl takes for meshconfigs.
func (*REST) ShortNames() []string { return []string{"mcfg"} }

// Categories are the groups of kinds that MeshConfig belongs to.
func (*REST) Categories() []string { return []string{"mesh"} }
