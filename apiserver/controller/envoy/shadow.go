// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// shadowDeny and shadowAllow are the shadow rules of the two filters: they
// count, and change no verdict. Nil: there is nothing to count. A Deny that no
// call of this kind can meet is nil too, and so is an Allow that closes nothing.
func shadowDeny(m model.Mesh, a model.Access, permit permit) (*rbacv3.RBAC, error) {
	if a.Audit == nil || len(a.Audit.Deny) == 0 {
		return nil, nil
	}
	return denyRules(m, model.Access{Deny: a.Audit.Deny}, permit)
}

func shadowAllow(m model.Mesh, a model.Access, permit permit) (*rbacv3.RBAC, error) {
	if a.Audit == nil || len(a.Audit.AllowPolicies) == 0 {
		return nil, nil
	}
	return allowRules(m, model.Access{Closed: a.Audit.Closed, Allow: a.Audit.Allow}, permit)
}
