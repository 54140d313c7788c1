// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// ValidateMeshRoute says what the tags of v1alpha1 do not about a new MeshRoute.
func ValidateMeshRoute(route *mesh.MeshRoute) field.ErrorList {
	errs := apivalidation.ValidateObjectMeta(&route.ObjectMeta, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	return append(errs, validateMeshRouteSpec(&route.Spec, field.NewPath("spec"))...)
}

// ValidateMeshRouteUpdate is ValidateMeshRoute for a change. A spec that stays as it
// is passes, so that rules which were tightened since block nobody.
func ValidateMeshRouteUpdate(route, old *mesh.MeshRoute) field.ErrorList {
	if apiequality.Semantic.DeepEqual(route.Spec, old.Spec) {
		return nil
	}
	return validateMeshRouteSpec(&route.Spec, field.NewPath("spec"))
}

// ValidateMeshRouteStatus is for a change of the status.
func ValidateMeshRouteStatus(route *mesh.MeshRoute) field.ErrorList {
	path := field.NewPath("status")
	errs := validateConditions(route.Status.Conditions, path.Child("conditions"))
	return append(errs, validateProxies(route.Status.Proxies, path.Child("proxies"))...)
}

func validateMeshRouteSpec(spec *mesh.MeshRouteSpec, path *field.Path) field.ErrorList {
	errs := validateParents(spec.ParentRefs, path.Child("parentRefs"))
	names := sets.New[string]()
	for i, rule := range spec.HTTP {
		rulePath := path.Child("http").Index(i)
		if rule.Name != "" && strings.Trim(rule.Name, "0123456789") == "" {
			errs = append(errs, field.Invalid(rulePath.Child("name"), rule.Name, "must not be digits alone: that is how a rule without a name is called"))
		}
		if rule.Name != "" && names.Has(rule.Name) {
			errs = append(errs, field.Duplicate(rulePath.Child("name"), rule.Name))
		}
		names.Insert(rule.Name)
		errs = append(errs, validateBackends(rule.BackendRefs, rulePath.Child("backendRefs"))...)
	}
	return errs
}

// validateParents takes no port beside the whole Service: the second would mean
// nothing.
func validateParents(parents []mesh.RouteParentReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	whole := sets.New[string]()
	for _, parent := range parents {
		if parent.Port == nil {
			whole.Insert(parent.Name)
		}
	}
	type port struct {
		name   string
		number int32
	}
	seen := sets.New[port]()
	for i, parent := range parents {
		at := path.Index(i)
		errs = append(errs, validateServiceReference(parent.Group, parent.Kind, at)...)
		one := port{name: parent.Name}
		if parent.Port != nil {
			one.number = *parent.Port
		}
		switch {
		case seen.Has(one):
			errs = append(errs, field.Duplicate(at, parent.Name))
		case parent.Port != nil && whole.Has(parent.Name):
			errs = append(errs, field.Forbidden(at.Child("port"), "must be left out where another item names all ports of the same Service"))
		}
		seen.Insert(one)
	}
	return errs
}

func validateBackends(backends []mesh.HTTPBackendReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	type port struct {
		name   string
		number int32
	}
	seen := sets.New[port]()
	for i, backend := range backends {
		at := path.Index(i)
		errs = append(errs, validateServiceReference(backend.Group, backend.Kind, at)...)
		one := port{backend.Name, backend.Port}
		if seen.Has(one) {
			errs = append(errs, field.Duplicate(at, backend.Name))
		}
		seen.Insert(one)
	}
	return errs
}
