// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshconfig keeps the one MeshConfig.
package meshconfig

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/validation"
	base "github.com/openservicemesh/mesh-apiserver/registry/strategy"
)

type strategy struct {
	base.Base
}

var (
	_ rest.RESTCreateStrategy  = strategy{}
	_ rest.RESTUpdateStrategy  = strategy{}
	_ rest.RESTDeleteStrategy  = strategy{}
	_ rest.ResetFieldsStrategy = strategy{}
)

func newStrategy() strategy {
	return strategy{base.New(false)}
}

func (strategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	config := obj.(*mesh.MeshConfig)
	base.PrepareForCreate(&config.ObjectMeta, &config.Status)
}

func (strategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	config, oldConfig := obj.(*mesh.MeshConfig), old.(*mesh.MeshConfig)
	base.PrepareForUpdate(&config.ObjectMeta, &oldConfig.ObjectMeta, &config.Spec, &oldConfig.Spec, &config.Status, &oldConfig.Status)
}

func (strategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return validation.ValidateMeshConfig(obj.(*mesh.MeshConfig))
}

func (strategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return validation.ValidateMeshConfigUpdate(obj.(*mesh.MeshConfig), old.(*mesh.MeshConfig))
}

func (strategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

func (strategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

type statusStrategy struct{ strategy }

// GetResetFields says that server-side apply to the status owns nothing else.
func (statusStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return base.StatusResetFields()
}

func (statusStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	config, oldConfig := obj.(*mesh.MeshConfig), old.(*mesh.MeshConfig)
	base.PrepareForStatusUpdate(&config.ObjectMeta, &oldConfig.ObjectMeta, &config.Spec, &oldConfig.Spec)
}

func (statusStrategy) ValidateUpdate(_ context.Context, obj, _ runtime.Object) field.ErrorList {
	return validation.ValidateMeshConfigStatus(obj.(*mesh.MeshConfig))
}
