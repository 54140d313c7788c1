// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Names of the two RBAC filters of an inbound HTTP chain: deny stands first.
const (
	httpDenyFilter  = "mesh.rbac.deny"
	httpAllowFilter = "mesh.rbac.allow"
)

// Every RBAC below has rules: a filter without them admits everybody.

// allowNothing has no policy, so nothing is ever admitted.
func allowNothing() *rbacv3.RBAC { return &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW} }

func denyEverything() *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: rbacv3.RBAC_DENY, Policies: map[string]*rbacv3.Policy{"unconfigured": everything()}}
}

func everything() *rbacv3.Policy {
	return &rbacv3.Policy{Permissions: []*rbacv3.Permission{anyPermission()}, Principals: []*rbacv3.Principal{anyPrincipal()}}
}

// rbacPair is what a filter enforces, and what it counts only.
type rbacPair struct{ rules, shadow *rbacv3.RBAC }

// httpDeny and httpAllow are the rules for requests, networkDeny and
// networkAllow those for connections.
func httpDeny(m model.Mesh, a model.Access) (rbacPair, error) {
	return denyPair(m, a, denyRequest)
}

func httpAllow(m model.Mesh, a model.Access) (rbacPair, error) {
	return allowPair(m, a, allowRequest)
}

func networkDeny(m model.Mesh, a model.Access) (rbacPair, error) {
	return denyPair(m, a, denyConnection)
}

func networkAllow(m model.Mesh, a model.Access) (rbacPair, error) {
	return allowPair(m, a, allowConnection)
}

func denyPair(m model.Mesh, a model.Access, permit permit) (rbacPair, error) {
	rules, err := denyRules(m, a, permit)
	if err != nil {
		return rbacPair{}, err
	}
	shadow, err := shadowDeny(m, a, permit)
	return rbacPair{rules, shadow}, err
}

func allowPair(m model.Mesh, a model.Access, permit permit) (rbacPair, error) {
	rules, err := allowRules(m, a, permit)
	if err != nil {
		return rbacPair{}, err
	}
	shadow, err := shadowAllow(m, a, permit)
	return rbacPair{rules, shadow}, err
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
// where it does not demand that there is none.
func authenticated(from []model.Source) []model.Source {
	out := make([]model.Source, len(from))
	for i, s := range from {
		s.Authenticated = !s.Anonymous
		out[i] = s
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

// httpRBACFilter is a filter of the connection manager; rules is what holds
// where no route overrides it.
func httpRBACFilter(name string, rules *rbacv3.RBAC) *hcmv3.HttpFilter {
	return httpFilter(name, httpRBAC(rules, nil))
}

// httpRBAC counts under "allow" or "deny", each rule by its name as well.
func httpRBAC(rules, shadow *rbacv3.RBAC) *httprbacv3.RBAC {
	action := strings.ToLower(rules.Action.String())
	return &httprbacv3.RBAC{
		Rules:                 rules,
		RulesStatPrefix:       action,
		ShadowRules:           shadow,
		ShadowRulesStatPrefix: shadowPrefix(action),
		TrackPerRuleStats:     true,
	}
}

// perRouteRBAC overrides both filters for all routes of a RouteConfiguration.
func perRouteRBAC(deny, allow rbacPair) map[string]*anypb.Any {
	return map[string]*anypb.Any{
		httpDenyFilter:  pack(&httprbacv3.RBACPerRoute{Rbac: httpRBAC(deny.rules, deny.shadow)}),
		httpAllowFilter: pack(&httprbacv3.RBACPerRoute{Rbac: httpRBAC(allow.rules, allow.shadow)}),
	}
}

// networkRBAC is the ECDS resource of a chain's RBAC filter.
func networkRBAC(name, view, statPrefix string, p rbacPair) (Resource, error) {
	action := strings.ToLower(p.rules.Action.String())
	return Encode(name, view, extension(name, &networkrbacv3.RBAC{
		Rules:                 p.rules,
		StatPrefix:            statPrefix + "/" + action,
		ShadowRules:           p.shadow,
		ShadowRulesStatPrefix: shadowPrefix(action),
	}))
}

// discoveredRBAC is the filter that networkRBAC fills.
func discoveredRBAC(name string) *listenerv3.Filter {
	return discoveredFilter(name, &networkrbacv3.RBAC{})
}
