// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// validateAdministrators refuses what would mean the system namespace in a
// policy that speaks of every namespace.
func validateAdministrators(spec *mesh.MeshPolicySpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(spec.TargetRefs) > 0 {
		errs = append(errs, field.Forbidden(path.Child("targetRefs"),
			"a policy in the mesh's system namespace applies to every namespace: use selector, or write the policy in the Service's namespace"))
	}
	for i := range spec.Rules {
		for j := range spec.Rules[i].From {
			for k, account := range spec.Rules[i].From[j].ServiceAccounts {
				if account.Namespace == "" {
					errs = append(errs, field.Required(path.Child("rules").Index(i).Child("from").Index(j).Child("serviceAccounts").Index(k).Child("namespace"),
						"a policy in the mesh's system namespace applies to every namespace: say whose account is meant"))
				}
			}
		}
	}
	return errs
}
