// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateServiceReference takes Services alone. A kind that is missing is what the
// tags say.
func validateServiceReference(group, kind string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if group != "" {
		errs = append(errs, field.NotSupported(path.Child("group"), group, []string{""}))
	}
	if kind != "" && kind != "Service" {
		errs = append(errs, field.NotSupported(path.Child("kind"), kind, []string{"Service"}))
	}
	return errs
}
