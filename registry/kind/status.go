// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// statusStorage serves the status of the objects of one store, and nothing else of
// them.
type statusStorage struct {
	store *registry.Store
}

var (
	_ rest.Storage             = &statusStorage{}
	_ rest.Getter              = &statusStorage{}
	_ rest.Updater             = &statusStorage{}
	_ rest.Patcher             = &statusStorage{}
	_ rest.TableConvertor      = &statusStorage{}
	_ rest.ResetFieldsStrategy = &statusStorage{}
)

func newStatusStorage(store *registry.Store, strategy Strategy) *statusStorage {
	shared := *store
	shared.UpdateStrategy = strategy
	shared.ResetFieldsStrategy = strategy
	return &statusStorage{store: &shared}
}

// New gives an empty object of the kind.
func (r *statusStorage) New() runtime.Object { return r.store.New() }

// Destroy does nothing: the store belongs to the main resource.
func (r *statusStorage) Destroy() {}

// Get reads the object; a patch needs that.
func (r *statusStorage) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return r.store.Get(ctx, name, options)
}

// Update changes the status of an object that exists; it never creates one.
func (r *statusStorage) Update(ctx context.Context, name string, objInfo rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc, updateValidation rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return r.store.Update(ctx, name, objInfo, createValidation, updateValidation, false, options)
}

// ConvertToTable prints the object as the main resource does.
func (r *statusStorage) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return r.store.ConvertToTable(ctx, object, options)
}

// GetResetFields names the fields that a change of the status does not touch.
func (r *statusStorage) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return r.store.GetResetFields()
}
