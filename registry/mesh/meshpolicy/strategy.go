// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshpolicy keeps MeshPolicies.
package meshpolicy

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

// Config is what the strategy must know beside the objects themselves.
type Config struct {
	// SystemNamespace is the namespace that the mesh itself lives in.
	SystemNamespace string
	// References tells what exists, for warnings. Nil: no warnings about that.
	References References
}

type strategy struct {
	base.Base
	config Config
}

var (
	_ rest.RESTCreateStrategy  = strategy{}
	_ rest.RESTUpdateStrategy  = strategy{}
	_ rest.RESTDeleteStrategy  = strategy{}
	_ rest.ResetFieldsStrategy = strategy{}
)

func newStrategy(config Config) strategy {
	return strategy{base.New(true), config}
}

func (strategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	policy := obj.(*mesh.MeshPolicy)
	base.PrepareForCreate(&policy.ObjectMeta, &policy.Status)
}

func (strategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	policy, oldPolicy := obj.(*mesh.MeshPolicy), old.(*mesh.MeshPolicy)
	base.PrepareForUpdate(&policy.ObjectMeta, &oldPolicy.ObjectMeta, &policy.Spec, &oldPolicy.Spec, &policy.Status, &oldPolicy.Status)
}

func (s strategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return validation.ValidateMeshPolicy(obj.(*mesh.MeshPolicy), s.config.SystemNamespace)
}

func (s strategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return validation.ValidateMeshPolicyUpdate(obj.(*mesh.MeshPolicy), old.(*mesh.MeshPolicy), s.config.SystemNamespace)
}

func (s strategy) WarningsOnCreate(_ context.Context, obj runtime.Object) []string {
	return warnings(obj.(*mesh.MeshPolicy), s.config.References)
}

func (s strategy) WarningsOnUpdate(_ context.Context, obj, old runtime.Object) []string {
	if obj.(*mesh.MeshPolicy).Generation == old.(*mesh.MeshPolicy).Generation {
		return nil
	}
	return warnings(obj.(*mesh.MeshPolicy), s.config.References)
}

type statusStrategy struct{ strategy }

// GetResetFields says that server-side apply to the status owns nothing else.
func (statusStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return base.StatusResetFields()
}

func (statusStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	policy, oldPolicy := obj.(*mesh.MeshPolicy), old.(*mesh.MeshPolicy)
	base.PrepareForStatusUpdate(&policy.ObjectMeta, &oldPolicy.ObjectMeta, &policy.Spec, &oldPolicy.Spec)
}

func (statusStrategy) ValidateUpdate(_ context.Context, obj, _ runtime.Object) field.ErrorList {
	return validation.ValidateMeshPolicyStatus(obj.(*mesh.MeshPolicy))
}

func (statusStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}
