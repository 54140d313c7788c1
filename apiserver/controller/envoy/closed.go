// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Envoy names the rule that matched, and none does where no Allow admits a call:
// an RBAC that allows says "none". So the rules of a closed port are asked as
// shadow rules, whose result Envoy writes into the call's dynamic metadata, and
// what refuses is a rule that denies whatever has not been admitted there. Its
// name says what closed the port. Without that metadata it denies.

// admittedResult is what RBAC writes when a shadow rule has matched ("Dynamic
// Metadata" in Envoy's pages about its filters).
const admittedResult = "allowed"

// maxClosers is how many policies the name of a refusal lists.
const maxClosers = 3

// requestAdmission are the rules of the two filters that admit requests. They are
// two since a filter of requests writes metadata when it is done.
func requestAdmission(m model.Mesh, a model.Access) (allow, closed rbacPair, err error) {
	allow = rbacPair{denyNothing(), nil, filters.Admitted}
	closed = rbacPair{allowEverything(), nil, filters.AuditAllow}
	if a.Closed {
		if allow.shadow, err = allowRules(m, a, allowRequest); err != nil {
			return allow, closed, err
		}
		closed.rules = denyUnadmitted(filters.AdmittedRequest, a)
	}
	closed.shadow, err = shadowAllow(m, a, allowRequest)
	return allow, closed, err
}

// connectionAdmission are the rules of the filter that admits connections. It has
// one set of shadow rules: where an Audit policy needs it, a refusal names none.
func connectionAdmission(m model.Mesh, a model.Access) (rbacPair, error) {
	rules, err := allowRules(m, a, allowConnection)
	if err != nil {
		return rbacPair{}, err
	}
	audit, err := shadowAllow(m, a, allowConnection)
	if err != nil || audit != nil || !a.Closed {
		return rbacPair{rules, audit, filters.AuditAllow}, err
	}
	return rbacPair{denyUnadmitted(filters.AdmittedConnection, a), rules, filters.Admitted}, nil
}

// denyNothing leaves the decision to what comes after.
func denyNothing() *rbacv3.RBAC { return &rbacv3.RBAC{Action: rbacv3.RBAC_DENY} }

func allowEverything() *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: map[string]*rbacv3.Policy{"open": everything()}}
}

func denyUnadmitted(admitted filters.Metadata, a model.Access) *rbacv3.RBAC {
	unadmitted := &rbacv3.Permission{Rule: &rbacv3.Permission_NotRule{NotRule: hasMetadata(admitted, admittedResult)}}
	return &rbacv3.RBAC{Action: rbacv3.RBAC_DENY, Policies: map[string]*rbacv3.Policy{
		closedBy(a): {Permissions: []*rbacv3.Permission{unadmitted}, Principals: []*rbacv3.Principal{anyPrincipal()}},
	}}
}

func hasMetadata(m filters.Metadata, value string) *rbacv3.Permission {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_SourcedMetadata{SourcedMetadata: &rbacv3.SourcedMetadata{
		MetadataMatcher: &matcherv3.MetadataMatcher{
			Filter: m.Namespace,
			Path:   []*matcherv3.MetadataMatcher_PathSegment{{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: m.Key}}},
			Value:  &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: exactly(value)}},
		},
	}}}
}

// closedBy names the refusal of whom no Allow admits. No rule has such a name:
// a parenthesis is in none.
func closedBy(a model.Access) string {
	names := a.ClosedBy
	if more := len(names) - maxClosers; more > 0 {
		names = append(names[:maxClosers:maxClosers], fmt.Sprintf("+%d", more))
	}
	return "closed-by(" + strings.Join(names, ",") + ")"
}
