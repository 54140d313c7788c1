// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Strategy is how a store prepares and validates what it writes.
type Strategy interface {
	rest.RESTCreateUpdateStrategy
	rest.ResetFieldsStrategy
}

// Strategy is for writes of objects: it keeps the status as it is.
func (k Stored[O, Spec, Status]) Strategy(scheme *runtime.Scheme) Strategy {
	return strategy[O, Spec, Status]{rest.DeclarativeValidation{Scheme: scheme}, names.SimpleNameGenerator, k}
}

// StatusStrategy is for writes of the status: it keeps all else as it is.
func (k Stored[O, Spec, Status]) StatusStrategy(scheme *runtime.Scheme) Strategy {
	return statusStrategy[O, Spec, Status]{strategy[O, Spec, Status]{rest.DeclarativeValidation{Scheme: scheme}, names.SimpleNameGenerator, k}}
}

type strategy[O Object, Spec, Status any] struct {
	rest.DeclarativeValidation
	names.NameGenerator
	kind Stored[O, Spec, Status]
}

func (s strategy[O, Spec, Status]) NamespaceScoped() bool { return s.kind.Namespaced }

// GetResetFields says that server-side apply to the object owns no status.
func (s strategy[O, Spec, Status]) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	if s.kind.Status == nil {
		return nil
	}
	return s.inEveryVersion("status")
}

func (s strategy[O, Spec, Status]) inEveryVersion(fields ...string) map[fieldpath.APIVersion]*fieldpath.Set {
	set := fieldpath.NewSet()
	for _, name := range fields {
		set.Insert(fieldpath.MakePathOrDie(name))
	}
	reset := map[fieldpath.APIVersion]*fieldpath.Set{}
	for _, version := range s.PrioritizedVersionsForGroup(s.kind.Resource.Group) {
		reset[fieldpath.APIVersion(version.String())] = set
	}
	return reset
}

// PrepareForCreate begins the first generation, without a status.
func (s strategy[O, Spec, Status]) PrepareForCreate(_ context.Context, obj runtime.Object) {
	object := obj.(O)
	object.SetGeneration(1)
	if s.kind.Status != nil {
		var none Status
		*s.kind.Status(object) = none
	}
}

// PrepareForUpdate keeps the status, and begins a generation if the spec changes.
func (s strategy[O, Spec, Status]) PrepareForUpdate(_ context.Context, obj, oldObj runtime.Object) {
	object, old := obj.(O), oldObj.(O)
	if s.kind.Status != nil {
		*s.kind.Status(object) = *s.kind.Status(old)
	}
	if !apiequality.Semantic.DeepEqual(s.kind.Spec(object), s.kind.Spec(old)) {
		object.SetGeneration(old.GetGeneration() + 1)
	}
}

func (s strategy[O, Spec, Status]) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return s.kind.Validate(obj.(O))
}

func (s strategy[O, Spec, Status]) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return s.kind.ValidateUpdate(obj.(O), old.(O))
}

func (s strategy[O, Spec, Status]) WarningsOnCreate(_ context.Context, obj runtime.Object) []string {
	if s.kind.Warnings == nil {
		return nil
	}
	return s.kind.Warnings(obj.(O))
}

// WarningsOnUpdate are about a spec that has changed.
func (s strategy[O, Spec, Status]) WarningsOnUpdate(ctx context.Context, obj, old runtime.Object) []string {
	if obj.(O).GetGeneration() == old.(O).GetGeneration() {
		return nil
	}
	return s.WarningsOnCreate(ctx, obj)
}

// Canonicalize does nothing: what is stored is what was validated.
func (strategy[O, Spec, Status]) Canonicalize(runtime.Object) {}

// AllowCreateOnUpdate says that a PUT creates nothing.
func (strategy[O, Spec, Status]) AllowCreateOnUpdate(context.Context) bool { return false }

// AllowUnconditionalUpdate says that an update names the version that it changes.
func (strategy[O, Spec, Status]) AllowUnconditionalUpdate(context.Context) bool { return false }

type statusStrategy[O Object, Spec, Status any] struct {
	strategy[O, Spec, Status]
}

// GetResetFields says that server-side apply to the status owns nothing else.
func (s statusStrategy[O, Spec, Status]) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return s.inEveryVersion("metadata", "spec")
}

// PrepareForUpdate keeps all but the status.
func (s statusStrategy[O, Spec, Status]) PrepareForUpdate(_ context.Context, obj, oldObj runtime.Object) {
	object, old := obj.(O), oldObj.(O)
	*s.kind.Spec(object) = *s.kind.Spec(old)
	metav1.ResetObjectMetaForStatus(object, old)
}

func (s statusStrategy[O, Spec, Status]) ValidateUpdate(_ context.Context, obj, _ runtime.Object) field.ErrorList {
	return s.kind.ValidateStatus(obj.(O))
}

func (statusStrategy[O, Spec, Status]) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}
