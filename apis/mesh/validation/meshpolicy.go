// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package validation says what the declarative tags of the versioned types
// cannot: rules across fields, and the grammar of values. What the tags say
// (required, length, enumeration) is not repeated here.
package validation

import (
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// Bounds of a selector; tags do not reach into meta/v1.
const (
	maxRequirements      = 32
	maxRequirementValues = 64
)

// ValidateMeshPolicy says what the tags of v1alpha1 do not about a new
// MeshPolicy. Those in systemNamespace are the administrators' and apply to every
// namespace.
func ValidateMeshPolicy(policy *mesh.MeshPolicy, systemNamespace string) field.ErrorList {
	metaPath := field.NewPath("metadata")
	errs := apivalidation.ValidateObjectMeta(&policy.ObjectMeta, true, apivalidation.NameIsDNSSubdomain, metaPath)
	return append(errs, validateSpecIn(policy, systemNamespace)...)
}

// ValidateMeshPolicyUpdate is ValidateMeshPolicy for a change. A spec that stays
// as it is passes, so that rules which were tightened since block nobody.
func ValidateMeshPolicyUpdate(policy, old *mesh.MeshPolicy, systemNamespace string) field.ErrorList {
	if apiequality.Semantic.DeepEqual(policy.Spec, old.Spec) {
		return nil
	}
	return validateSpecIn(policy, systemNamespace)
}

func validateSpecIn(policy *mesh.MeshPolicy, systemNamespace string) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateMeshPolicySpec(&policy.Spec, path)
	if policy.Namespace == systemNamespace {
		errs = append(errs, validateAdministrators(&policy.Spec, path)...)
	}
	return errs
}

// ValidateMeshPolicyStatus is for a change of the status.
func ValidateMeshPolicyStatus(policy *mesh.MeshPolicy) field.ErrorList {
	path := field.NewPath("status")
	errs := validateConditions(policy.Status.Conditions, path.Child("conditions"))
	return append(errs, validateProxies(policy.Status.Proxies, path.Child("proxies"))...)
}

func validateMeshPolicySpec(spec *mesh.MeshPolicySpec, path *field.Path) field.ErrorList {
	errs := validateTarget(spec, path)
	if spec.Action == "" {
		errs = append(errs, field.Required(path.Child("action"), "must be Allow or Deny"))
	}
	if len(spec.Rules) == 0 {
		errs = append(errs, field.Required(path.Child("rules"), "must hold a rule: an Allow of everything by everybody in the mesh is [{from: [{authenticated: {}}], to: [{all: {}}]}], a Deny of every call [{}]"))
	}
	if spec.OnAnonymous != nil && spec.Action != mesh.PolicyActionDeny {
		errs = append(errs, field.Forbidden(path.Child("onAnonymous"),
			"must be left out unless action is Deny: an Allow admits callers without an identity by an item {anonymous: {}} alone"))
	}
	errs = append(errs, validateSize(spec.Rules, path.Child("rules"))...)
	names := sets.New[string]()
	for i := range spec.Rules {
		rulePath := path.Child("rules").Index(i)
		errs = append(errs, validateRule(&spec.Rules[i], spec.Action, rulePath)...)
		if name := spec.Rules[i].Name; name != "" {
			if names.Has(name) {
				errs = append(errs, field.Duplicate(rulePath.Child("name"), name))
			}
			names.Insert(name)
		}
	}
	return errs
}

func validateTarget(spec *mesh.MeshPolicySpec, path *field.Path) field.ErrorList {
	errs := notEmpty(spec.TargetRefs, path.Child("targetRefs"), "to mean the whole namespace")
	seen := sets.New[mesh.PolicyTargetReference]()
	for i, ref := range spec.TargetRefs {
		refPath := path.Child("targetRefs").Index(i)
		errs = append(errs, validateServiceReference(ref.Group, ref.Kind, refPath)...)
		if seen.Has(ref) {
			errs = append(errs, field.Duplicate(refPath, ref.Name))
		}
		seen.Insert(ref)
	}
	if spec.Selector == nil {
		return errs
	}
	if len(spec.TargetRefs) > 0 {
		errs = append(errs, field.Forbidden(path.Child("selector"), "must be left out where targetRefs is set"))
	}
	return append(errs, validateSelector(spec.Selector, path.Child("selector"))...)
}

func validateSelector(selector *metav1.LabelSelector, path *field.Path) field.ErrorList {
	size := len(selector.MatchLabels) + len(selector.MatchExpressions)
	if size == 0 {
		return field.ErrorList{field.Required(path, "must not be empty: leave selector out to mean every workload of the namespace")}
	}
	if size > maxRequirements {
		return field.ErrorList{field.TooMany(path, size, maxRequirements)}
	}
	errs := metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, path)
	for i, requirement := range selector.MatchExpressions {
		if len(requirement.Values) > maxRequirementValues {
			errs = append(errs, field.TooMany(path.Child("matchExpressions").Index(i).Child("values"), len(requirement.Values), maxRequirementValues))
		}
	}
	return errs
}

func validateRule(rule *mesh.PolicyRule, action mesh.PolicyAction, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if rule.Name != "" && strings.Trim(rule.Name, "0123456789") == "" {
		errs = append(errs, field.Invalid(path.Child("name"), rule.Name, "must not be digits alone: that is how a rule without a name is called"))
	}
	if action == mesh.PolicyActionAllow {
		if len(rule.From) == 0 {
			errs = append(errs, field.Required(path.Child("from"), "an Allow says who may call: everybody in the mesh is [{authenticated: {}}]"))
		}
		if len(rule.To) == 0 {
			errs = append(errs, field.Required(path.Child("to"), "an Allow says what may be called: everything is [{all: {}}]"))
		}
	} else {
		errs = append(errs, notEmpty(rule.From, path.Child("from"), "to mean any caller")...)
		errs = append(errs, notEmpty(rule.To, path.Child("to"), "to mean every port of the target")...)
	}
	for i := range rule.From {
		errs = append(errs, validateSource(&rule.From[i], path.Child("from").Index(i))...)
	}
	for i := range rule.To {
		errs = append(errs, validateDestination(&rule.To[i], path.Child("to").Index(i))...)
	}
	return errs
}

// notEmpty refuses an empty list that is seen: many clients drop empty lists,
// so it must not mean anything else than its absence.
func notEmpty[T any](list []T, path *field.Path, meaning string) field.ErrorList {
	if list == nil || len(list) > 0 {
		return nil
	}
	return field.ErrorList{field.Required(path, strings.TrimSpace("must not be an empty list: leave it out "+meaning))}
}
