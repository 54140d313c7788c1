// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/openservicemesh/mesh-apiserver/registry/table"
)

// Stored describes a kind that is kept in etcd: its hub type is O, a pointer.
type Stored[O Object, Spec, Status any] struct {
	Names
	New     func() O
	NewList func() runtime.Object

	// Spec and Status point into an object. A kind without a status leaves Status
	// nil, and has no subresource for it.
	Spec   func(O) *Spec
	Status func(O) *Status

	// What the tags of the versioned types do not say. A change of the spec or of
	// metadata comes to ValidateUpdate, one of the status to ValidateStatus.
	Validate       func(O) field.ErrorList
	ValidateUpdate func(object, old O) field.ErrorList
	ValidateStatus func(O) field.ErrorList
	// Warnings say what is valid in a new or changed spec, and yet surprising. It may
	// be nil.
	Warnings func(O) []string

	Table table.Convertor[O]

	// DeletedAtOnce kinds have nothing that depends on them: foreground and orphan
	// deletion, which would hold an object back by a finalizer, delete it as well.
	DeletedAtOnce bool
}

// storage serves the objects of a Stored kind.
type storage struct {
	*registry.Store
	named
}

var _ rest.StandardStorage = storage{}

// Storage serves the kind, and its status if it has one.
func (k Stored[O, Spec, Status]) Storage(scheme *runtime.Scheme, options generic.RESTOptionsGetter) (map[string]rest.Storage, error) {
	objects := k.Strategy(scheme)
	store := &registry.Store{
		NewFunc:                   func() runtime.Object { return k.New() },
		NewListFunc:               k.NewList,
		DefaultQualifiedResource:  k.Resource,
		SingularQualifiedResource: schema.GroupResource{Group: k.Resource.Group, Resource: k.Singular},

		CreateStrategy:      objects,
		UpdateStrategy:      objects,
		DeleteStrategy:      objects,
		ResetFieldsStrategy: objects,

		TableConvertor: k.Table,
	}
	if err := store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: options}); err != nil {
		return nil, fmt.Errorf("make the storage of %s: %w", k.Resource, err)
	}
	if k.DeletedAtOnce {
		store.EnableGarbageCollection = false
	}
	served := map[string]rest.Storage{k.Resource.Resource: storage{store, named{k.Names}}}
	if k.Status != nil {
		served[k.Resource.Resource+"/status"] = newStatusStorage(store, k.StatusStrategy(scheme))
	}
	return served, nil
}
