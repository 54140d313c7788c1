// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

func validateConditions(conditions []metav1.Condition, path *field.Path) field.ErrorList {
	errs := metav1validation.ValidateConditions(conditions, path)
	for _, err := range errs {
		// Condition's tags are opaque to our types: no generated code repeats
		// these, and the framework logs an error for each that none covers.
		err.CoveredByDeclarative = false
	}
	return errs
}

func validateProxies(counts *mesh.ProxyCounts, path *field.Path) field.ErrorList {
	if counts == nil || counts.Acked <= counts.Affected {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("acked"), counts.Acked, "must be at most affected")}
}
