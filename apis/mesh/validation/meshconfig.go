// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// Bounds of durations. The kubelet asks for certificates of 1 h to 91 d
// (KEP-4317); an hour of draining outlasts any rollout.
const (
	minLifetime = time.Hour
	maxLifetime = 91 * 24 * time.Hour
	minDrain    = time.Second
	maxDrain    = time.Hour
)

// ValidateMeshConfig says what the tags of v1alpha1 do not about a new MeshConfig.
func ValidateMeshConfig(config *mesh.MeshConfig) field.ErrorList {
	return append(validateMeshConfigMeta(config), validateMeshConfigSpec(&config.Spec, field.NewPath("spec"))...)
}

// ValidateMeshConfigUpdate is ValidateMeshConfig for a change. A spec that stays
// as it is passes, so that rules which were tightened since block nobody.
func ValidateMeshConfigUpdate(config, old *mesh.MeshConfig) field.ErrorList {
	errs := validateMeshConfigMeta(config)
	if apiequality.Semantic.DeepEqual(config.Spec, old.Spec) {
		return errs
	}
	path := field.NewPath("spec")
	if now, before := config.Spec.Certificate.TrustDomain, old.Spec.Certificate.TrustDomain; now != before {
		errs = append(errs, field.Invalid(path.Child("certificate", "trustDomain"), now,
			fmt.Sprintf("must stay %q: it is in every identity and cannot be changed", before)))
	}
	return append(errs, validateMeshConfigSpec(&config.Spec, path)...)
}

// ValidateMeshConfigStatus is for a change of the status.
func ValidateMeshConfigStatus(config *mesh.MeshConfig) field.ErrorList {
	return validateConditions(config.Status.Conditions, field.NewPath("status", "conditions"))
}

func validateMeshConfigMeta(config *mesh.MeshConfig) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("metadata")
	if config.Name != mesh.MeshConfigName {
		errs = append(errs, field.Invalid(path.Child("name"), config.Name, fmt.Sprintf("must be %q: there is one MeshConfig", mesh.MeshConfigName)))
	}
	if len(config.Finalizers) > 0 {
		errs = append(errs, field.Forbidden(path.Child("finalizers"), "must be empty: deleting the MeshConfig sets it back to the defaults at once"))
	}
	return errs
}

func validateMeshConfigSpec(spec *mesh.MeshConfigSpec, path *field.Path) field.ErrorList {
	errs := validateSidecar(&spec.Sidecar, path.Child("sidecar"))
	errs = append(errs, validateDuration(spec.Certificate.Lifetime, minLifetime, maxLifetime, path.Child("certificate", "lifetime"))...)
	return errs
}

func validateSidecar(sidecar *mesh.SidecarConfig, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if strings.ContainsFunc(sidecar.Image, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		errs = append(errs, field.Invalid(path.Child("image"), sidecar.Image, "must be an image reference, without spaces"))
	}
	errs = append(errs, validateResources(&sidecar.Resources, path.Child("resources"))...)
	errs = append(errs, validateDuration(sidecar.DrainTime, minDrain, maxDrain, path.Child("drainTime"))...)
	errs = append(errs, validateDuration(sidecar.TerminationDrain, minDrain, maxDrain, path.Child("terminationDrain"))...)
	errs = append(errs, validateDuration(sidecar.PreStopSleep, 0, maxDrain, path.Child("preStopSleep"))...)
	return errs
}

func validateResources(resources *mesh.SidecarResources, path *field.Path) field.ErrorList {
	errs := validateResourceList(resources.Limits, path.Child("limits"))
	errs = append(errs, validateResourceList(resources.Requests, path.Child("requests"))...)
	for _, name := range slices.Sorted(maps.Keys(resources.Requests)) {
		request := resources.Requests[name]
		if limit, ok := resources.Limits[name]; ok && request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(path.Child("requests").Key(string(name)), request.String(),
				fmt.Sprintf("must be at most the limit of %s", limit.String())))
		}
	}
	return errs
}

func validateResourceList(list corev1.ResourceList, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(list)) {
		quantity := list[name]
		switch name {
		case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		default:
			errs = append(errs, field.NotSupported(path.Key(string(name)), name,
				[]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}))
		}
		if quantity.Sign() <= 0 {
			errs = append(errs, field.Invalid(path.Key(string(name)), quantity.String(), "must be greater than zero"))
		}
	}
	return errs
}

// validateDuration takes a value that defaulting has made sure of.
func validateDuration(value *metav1.Duration, least, most time.Duration, path *field.Path) field.ErrorList {
	if value == nil {
		return field.ErrorList{field.Required(path, fmt.Sprintf("must be whole seconds, from %s to %s", least, most))}
	}
	if value.Duration < least || value.Duration > most || value.Duration%time.Second != 0 {
		return field.ErrorList{field.Invalid(path, value.Duration.String(), fmt.Sprintf("must be whole seconds, from %s to %s", least, most))}
	}
	return nil
}
