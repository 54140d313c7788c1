// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filters

import (
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
)

// Prefixes under which RBAC filters of requests count what their rules do. The keys of
// the results begin with them, those of connections' shadow rules too. They are the
// same for all ports, since the totals of a filter of requests take the prefix of the
// listener's configuration.
const (
	Denied = "deny"
	Closed = "allow"
	// Admitted is where the rules of a closed port count, as shadow rules.
	Admitted = "admitted_"
	// AuditDeny and AuditAllow are for shadow rules that nothing goes by.
	AuditDeny  = "audit_deny"
	AuditAllow = "audit_allow"
)

// RequestRules are the configuration of an RBAC filter of requests, which counts
// each rule by its name. A filter without rules admits everybody. Shadow rules are
// nil if there are none.
func RequestRules(prefix string, rules *rbacv3.RBAC, shadowPrefix string, shadow *rbacv3.RBAC) *httprbacv3.RBAC {
	return &httprbacv3.RBAC{
		Rules:                 rules,
		RulesStatPrefix:       prefix,
		ShadowRules:           shadow,
		ShadowRulesStatPrefix: shadowPrefix,
		TrackPerRuleStats:     true,
	}
}

// Without routes these three deny everything, each by itself.

func denyRequests() *httprbacv3.RBAC {
	everything := &rbacv3.Policy{
		Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}},
		Principals:  []*rbacv3.Principal{{Identifier: &rbacv3.Principal_Any{Any: true}}},
	}
	return RequestRules(Denied, &rbacv3.RBAC{Action: rbacv3.RBAC_DENY, Policies: map[string]*rbacv3.Policy{"unconfigured": everything}}, AuditDeny, nil)
}

func allowRequests() *httprbacv3.RBAC {
	return RequestRules(Admitted, &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW}, Admitted, nil)
}

func closeRequests() *httprbacv3.RBAC {
	return RequestRules(Closed, &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW}, AuditAllow, nil)
}
