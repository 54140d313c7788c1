// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshpolicy keeps MeshPolicies.
package meshpolicy

import (
	"context"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/validation"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
)

// Config is what the strategy must know beside the objects themselves.
type Config struct {
	// SystemNamespace is the namespace that the mesh itself lives in.
	SystemNamespace string
	// References tells what exists, for warnings. Nil: no warnings about that.
	References References
}

type strategy struct {
	rest.DeclarativeValidation
	names.NameGenerator
	config Config
}

var (
	_ rest.RESTCreateStrategy  = strategy{}
	_ rest.RESTUpdateStrategy  = strategy{}
	_ rest.RESTDeleteStrategy  = strategy{}
	_ rest.ResetFieldsStrategy = strategy{}
)

func newStrategy(config Config) strategy {
	return strategy{rest.DeclarativeValidation{Scheme: scheme.Scheme}, names.SimpleNameGenerator, config}
}

func (strategy) NamespaceScoped() bool { return true }

// GetResetFields says that server-side apply to the object owns no status.
func (strategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return map[fieldpath.APIVersion]*fieldpath.Set{
		fieldpath.APIVersion(v1alpha1.SchemeGroupVersion.String()): fieldpath.NewSet(
			fieldpath.MakePathOrDie("status"),
		),
	}
}

func (strategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	policy := obj.(*mesh.MeshPolicy)
	policy.Status = mesh.MeshPolicyStatus{}
	policy.Generation = 1
}

func (strategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	policy, oldPolicy := obj.(*mesh.MeshPolicy), old.(*mesh.MeshPolicy)
	policy.Status = oldPolicy.Status
	if !apiequality.Semantic.DeepEqual(policy.Spec, oldPolicy.Spec) {
		policy.Generation = oldPolicy.Generation + 1
	}
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

func (strategy) Canonicalize(runtime.Object) {}

func (strategy) AllowCreateOnUpdate(context.Context) bool { return false }

func (strategy) AllowUnconditionalUpdate(context.Context) bool { return false }

type statusStrategy struct{ strategy }

// GetResetFields says that server-side apply to the status owns nothing else.
func (statusStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return map[fieldpath.APIVersion]*fieldpath.Set{
		fieldpath.APIVersion(v1alpha1.SchemeGroupVersion.String()): fieldpath.NewSet(
			fieldpath.MakePathOrDie("metadata"),
			fieldpath.MakePathOrDie("spec"),
		),
	}
}

func (statusStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	policy, oldPolicy := obj.(*mesh.MeshPolicy), old.(*mesh.MeshPolicy)
	policy.Spec = oldPolicy.Spec
	metav1.ResetObjectMetaForStatus(&policy.ObjectMeta, &oldPolicy.ObjectMeta)
}

func (statusStrategy) ValidateUpdate(_ context.Context, obj, _ runtime.Object) field.ErrorList {
	return validation.ValidateMeshPolicyStatus(obj.(*mesh.MeshPolicy))
}

func (statusStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}
