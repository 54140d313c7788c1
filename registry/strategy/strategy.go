// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package strategy is what the strategies of all kinds with a spec and a status
// share.
package strategy

import (
	"context"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
)

// Base is embedded by the strategy of a kind, which adds its own preparation and
// validation.
type Base struct {
	rest.DeclarativeValidation
	names.NameGenerator
	namespaced bool
}

// New gives what a kind shares with the others.
func New(namespaced bool) Base {
	return Base{rest.DeclarativeValidation{Scheme: scheme.Scheme}, names.SimpleNameGenerator, namespaced}
}

// NamespaceScoped tells whether the kind's objects are in namespaces.
func (b Base) NamespaceScoped() bool { return b.namespaced }

// GetResetFields says that server-side apply to the object owns no status.
func (Base) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set { return fields("status") }

// Canonicalize does nothing: what is stored is what was validated.
func (Base) Canonicalize(runtime.Object) {}

// AllowCreateOnUpdate says that a PUT creates nothing.
func (Base) AllowCreateOnUpdate(context.Context) bool { return false }

// AllowUnconditionalUpdate says that an update names the version that it changes.
func (Base) AllowUnconditionalUpdate(context.Context) bool { return false }

// StatusResetFields says that server-side apply to the status owns nothing else.
func StatusResetFields() map[fieldpath.APIVersion]*fieldpath.Set { return fields("metadata", "spec") }

func fields(names ...string) map[fieldpath.APIVersion]*fieldpath.Set {
	set := fieldpath.NewSet()
	for _, name := range names {
		set.Insert(fieldpath.MakePathOrDie(name))
	}
	return map[fieldpath.APIVersion]*fieldpath.Set{fieldpath.APIVersion(v1alpha1.SchemeGroupVersion.String()): set}
}

// PrepareForCreate begins the first generation, without a status.
func PrepareForCreate[Status any](meta *metav1.ObjectMeta, status *Status) {
	var none Status
	*status, meta.Generation = none, 1
}

// PrepareForUpdate keeps the status, and begins a generation if the spec changes.
func PrepareForUpdate[Spec, Status any](meta, oldMeta *metav1.ObjectMeta, spec, oldSpec *Spec, status, oldStatus *Status) {
	*status = *oldStatus
	if !apiequality.Semantic.DeepEqual(spec, oldSpec) {
		meta.Generation = oldMeta.Generation + 1
	}
}

// PrepareForStatusUpdate keeps all but the status.
func PrepareForStatusUpdate[Spec any](meta, oldMeta *metav1.ObjectMeta, spec, oldSpec *Spec) {
	*spec = *oldSpec
	metav1.ResetObjectMetaForStatus(meta, oldMeta)
}
