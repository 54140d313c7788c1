// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package status serves the status subresource of a kind.
package status

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// REST serves the status of the objects of one store, and nothing else of them.
type REST struct {
	store *registry.Store
}

var (
	_ rest.Storage             = &REST{}
	_ rest.Getter              = &REST{}
	_ rest.Updater             = &REST{}
	_ rest.Patcher             = &REST{}
	_ rest.TableConvertor      = &REST{}
	_ rest.ResetFieldsStrategy = &REST{}
)

// Strategy changes the status of an object, and leaves the rest of it alone.
type Strategy interface {
	rest.RESTUpdateStrategy
	rest.ResetFieldsStrategy
}

// NewREST serves the status of the objects in store by strategy.
func NewREST(store *registry.Store, strategy Strategy) *REST {
	shared := *store
	shared.UpdateStrategy = strategy
	shared.ResetFieldsStrategy = strategy
	return &REST{store: &shared}
}

// New gives an empty object of the kind.
func (r *REST) New() runtime.Object { return r.store.New() }

// Destroy does nothing: the store belongs to the main resource.
func (r *REST) Destroy() {}

// Get reads the object; a patch needs that.
func (r *REST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return r.store.Get(ctx, name, options)
}

// Update changes the status of an object that exists; it never creates one.
func (r *REST) Update(ctx context.Context, name string, objInfo rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc, updateValidation rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return r.store.Update(ctx, name, objInfo, createValidation, updateValidation, false, options)
}

// ConvertToTable prints the object as the main resource does.
func (r *REST) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return r.store.ConvertToTable(ctx, object, options)
}

// GetResetFields names the fields that a change of the status does not touch.
func (r *REST) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return r.store.GetResetFields()
}
