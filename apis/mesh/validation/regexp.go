// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/re2"
)

// validateRegularExpression takes what every proxy takes. An empty value is
// refused by its tag.
func validateRegularExpression(expression string, path *field.Path) field.ErrorList {
	if expression == "" {
		return nil
	}
	if err := re2.Check(expression); err != nil {
		return field.ErrorList{field.Invalid(path, expression, err.Error())}
	}
	return nil
}
