// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"slices"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestOnlyThisPolicysResultOnThisPolicy has the names that Envoy 1.40 gives.
func TestOnlyThisPolicysResultOnThisPolicy(t *testing.T) {
	audit := model.Audit{DenyPolicies: []string{"shop/no-admin"}, AllowPolicies: []string{"shop/a.b", "shop/readers"}}
	for name, want := range map[string][]string{
		"http.in/8080.rbac.audit_deny.policy.shop/no-admin/paths.shadow_denied": {"shop/no-admin"},
		"http.in/8080.rbac.audit_deny.shadow_denied":                            nil,
		"http.in/8080.rbac.audit_deny.shadow_allowed":                           nil,
		"http.in/8080.rbac.audit_allow.policy.shop/a.b/0.shadow_allowed":        {"shop/a.b"},
		"http.in/8080.rbac.audit_allow.policy.shop/enforced/0.shadow_allowed":   nil,
		"http.in/8080.rbac.audit_allow.policy.other/readers/0.shadow_allowed":   nil,
		"http.in/8080.rbac.audit_allow.shadow_denied":                           {"shop/a.b", "shop/readers"},
		"in/8080/deny.rbac.audit_deny.shadow_denied":                            {"shop/no-admin"},
		"in/8080/allow.rbac.audit_allow.shadow_denied":                          {"shop/a.b", "shop/readers"},
		"in/8080/allow.rbac.audit_allow.shadow_allowed":                         {"shop/a.b", "shop/readers"},
		"in/8080/deny.rbac.audit_deny.shadow_allowed":                           nil,
		"in/8080/allow.rbac.admitted_.shadow_denied":                            nil,
		"http.in/8080.rbac.admitted_.policy.shop/readers/0.shadow_allowed":      nil,
		"http.in/99999.rbac.audit_allow.shadow_denied":                          nil,
		"http.in/8080.rbac.audit_allow.policy.shop/r\xff/0.shadow_allowed":      nil,
		"http.in/8080.rbac.audit_allow.policy.shop/readers/é\n.shadow_allowed":  {"shop/readers"},
		"http.in/8080.rbac.audit_allow.policy.shop//0.shadow_allowed":           nil,
		"http.in/8080.rbac.allow.denied":                                        nil,
	} {
		counter, ok := parse(name)
		var got []string
		if ok {
			got = counter.policies(audit)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is about %q, want %q", name, got, want)
		}
	}
}
