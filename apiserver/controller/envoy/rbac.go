// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Every RBAC below has rules: a filter without them admits everybody.

// allowNothing has no policy, so nothing is ever admitted.
func allowNothing() *rbacv3.RBAC { return &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW} }

func everything() *rbacv3.Policy {
	return &rbacv3.Policy{Permissions: []*rbacv3.Permission{anyPermission()}, Principals: []*rbacv3.Principal{anyPrincipal()}}
}

// rbacPair is what a filter enforces, and what it counts only: under
// shadowPrefix, which is empty if there is nothing to count.
type rbacPair struct {
	rules, shadow *rbacv3.RBAC
	shadowPrefix  string
}

func denyPair(m model.Mesh, a model.Access, permit permit) (rbacPair, error) {
	rules, err := denyRules(m, a, permit)
	if err != nil {
		return rbacPair{}, err
	}
	shadow, err := shadowDeny(m, a, permit)
	return rbacPair{rules, shadow, filters.AuditDeny}, err
}

// A permit turns what a rule says about calls into a permission; nil if it says
// nothing about calls of this kind.
type permit func(model.Match) *rbacv3.Permission

func denyRules(m model.Mesh, a model.Access, permit permit) (*rbacv3.RBAC, error) {
	rbac := &rbacv3.RBAC{Action: rbacv3.RBAC_DENY, Policies: map[string]*rbacv3.Policy{}}
	for _, r := range a.Deny {
		principals := []*rbacv3.Principal{anyPrincipal()}
		if len(r.From) > 0 {
			var err error
			if principals, err = sources(m, r.From); err != nil {
				return nil, fmt.Errorf("deny rule %s: %w", r.Name, err)
			}
		}
		addPolicy(rbac, r.Name, permissions(r.To, permit), principals)
	}
	return rbac, nil
}

// allowRules admits everything on an open port, and on a closed one what a rule
// says. A rule without callers or without calls admits nothing.
func allowRules(m model.Mesh, a model.Access, permit permit) (*rbacv3.RBAC, error) {
	rbac := allowNothing()
	rbac.Policies = map[string]*rbacv3.Policy{}
	if !a.Closed {
		rbac.Policies["open"] = everything()
		return rbac, nil
	}
	for _, r := range a.Allow {
		principals, err := sources(m, authenticated(r.From))
		if err != nil {
			return nil, fmt.Errorf("allow rule %s: %w", r.Name, err)
		}
		addPolicy(rbac, r.Name, permissions(r.To, permit), principals)
	}
	return rbac, nil
}

// authenticated holds the model to its word that an Allow demands an identity
// where it does not demand that there is none. A caller of whom nothing at all is
// said is nobody, not everybody.
func authenticated(from []model.Source) []model.Source {
	var out []model.Source
	for _, s := range from {
		if len(s.Principals) == 0 && len(s.IPBlocks) == 0 && !s.Authenticated && !s.Anonymous {
			continue
		}
		s.Authenticated = !s.Anonymous
		out = append(out, s)
	}
	return out
}

func permissions(to []model.Match, permit permit) []*rbacv3.Permission {
	var out []*rbacv3.Permission
	for _, t := range to {
		if p := permit(t); p != nil {
			out = append(out, p)
		}
	}
	return out
}

// addPolicy adds a rule under its name, which Envoy reports when it decides.
// Two rules with one name both count.
func addPolicy(rbac *rbacv3.RBAC, name string, permissions []*rbacv3.Permission, principals []*rbacv3.Principal) {
	if len(permissions) == 0 || len(principals) == 0 {
		return
	}
	key := name
	for n := 2; rbac.Policies[key] != nil; n++ {
		key = fmt.Sprintf("%s#%d", name, n)
	}
	rbac.Policies[key] = &rbacv3.Policy{Permissions: permissions, Principals: principals}
}

// perRouteRBAC overrides these filters for all routes of a RouteConfiguration.
func perRouteRBAC(m model.Mesh, a model.Access) (map[string]*anypb.Any, error) {
	deny, err := denyPair(m, a, denyRequest)
	if err != nil {
		return nil, err
	}
	allow, closed, err := requestAdmission(m, a)
	if err != nil {
		return nil, err
	}
	return map[string]*anypb.Any{
		filters.DenyRequests:  requestRules(filters.Denied, deny),
		filters.AllowRequests: requestRules(filters.Admitted, allow),
		filters.CloseRequests: requestRules(filters.Closed, closed),
	}, nil
}

func requestRules(statPrefix string, p rbacPair) *anypb.Any {
	return pack(&httprbacv3.RBACPerRoute{Rbac: filters.RequestRules(statPrefix, p.rules, p.shadowPrefix, p.shadow)})
}

// networkDeny and networkAllow are the ECDS resources of a chain's RBAC filters.
func networkDeny(name, view, statPrefix string, m model.Mesh, a model.Access) (Resource, error) {
	p, err := denyPair(m, a, denyConnection)
	if err != nil {
		return Resource{}, err
	}
	return networkRBAC(name, view, statPrefix+"/deny", p)
}

func networkAllow(name, view, statPrefix string, m model.Mesh, a model.Access) (Resource, error) {
	p, err := connectionAdmission(m, a)
	if err != nil {
		return Resource{}, err
	}
	return networkRBAC(name, view, statPrefix+"/allow", p)
}

func networkRBAC(name, view, statPrefix string, p rbacPair) (Resource, error) {
	return Encode(name, view, extension(name, &networkrbacv3.RBAC{
		Rules:                 p.rules,
		StatPrefix:            statPrefix,
		ShadowRules:           p.shadow,
		ShadowRulesStatPrefix: p.shadowPrefix,
	}))
}
