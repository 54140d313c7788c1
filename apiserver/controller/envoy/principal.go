// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// trustDomainPrefix is what every identity of the mesh starts with.
func trustDomainPrefix(m model.Mesh) string { return "spiffe://" + m.TrustDomain + "/" }

// sources are the callers of a rule, one principal an alternative.
func sources(m model.Mesh, from []model.Source) ([]*rbacv3.Principal, error) {
	var out []*rbacv3.Principal
	for _, s := range from {
		p, err := source(m, s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func source(m model.Mesh, s model.Source) (*rbacv3.Principal, error) {
	var all []*rbacv3.Principal
	if ids := identities(m, s); len(ids) > 0 {
		all = append(all, orPrincipals(ids))
	}
	var blocks []*rbacv3.Principal
	for _, b := range s.IPBlocks {
		p, err := ipBlock(b)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, p)
	}
	if len(blocks) > 0 {
		all = append(all, orPrincipals(blocks))
	}
	if len(all) == 0 {
		return anyPrincipal(), nil
	}
	return andPrincipals(all), nil
}

// identities are who a source admits by name, or for the lack of one; none if
// it does not look.
func identities(m model.Mesh, s model.Source) []*rbacv3.Principal {
	var out []*rbacv3.Principal
	switch {
	case s.Anonymous:
		return []*rbacv3.Principal{withoutIdentity()}
	case len(s.Principals) == 0 && s.Authenticated:
		out = append(out, named(startsWith(trustDomainPrefix(m))))
	default:
		for _, p := range s.Principals {
			out = append(out, named(principalName(p)))
		}
	}
	if s.OrAnonymous {
		out = append(out, withoutIdentity())
	}
	return out
}

// withoutIdentity is who calls without TLS: by TLS nobody comes in without a
// certificate.
func withoutIdentity() *rbacv3.Principal {
	anybody := &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: &rbacv3.Principal_Authenticated{}}}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: anybody}}
}

func principalName(p model.Principal) *matcherv3.StringMatcher {
	if p.Prefix {
		return startsWith(p.ID)
	}
	return exactly(p.ID)
}

func named(m *matcherv3.StringMatcher) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{
		Authenticated: &rbacv3.Principal_Authenticated{PrincipalName: m},
	}}
}

// ipBlock is matched on the peer's own address: remote_ip would believe a
// forged X-Forwarded-For.
func ipBlock(b model.IPBlock) (*rbacv3.Principal, error) {
	in, err := cidr(b.CIDR)
	if err != nil {
		return nil, err
	}
	var out []*rbacv3.Principal
	for _, e := range b.Except {
		p, err := cidr(e)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return in, nil
	}
	outside := &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: orPrincipals(out)}}
	return andPrincipals([]*rbacv3.Principal{in, outside}), nil
}

func cidr(s string) (*rbacv3.Principal, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, fmt.Errorf("parse IP block: %w", err)
	}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_DirectRemoteIp{DirectRemoteIp: &corev3.CidrRange{
		AddressPrefix: p.Masked().Addr().String(),
		PrefixLen:     u32(uint32(p.Bits())),
	}}}, nil
}

func anyPrincipal() *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Any{Any: true}}
}

func orPrincipals(set []*rbacv3.Principal) *rbacv3.Principal {
	if len(set) == 1 {
		return set[0]
	}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_OrIds{OrIds: &rbacv3.Principal_Set{Ids: set}}}
}

func andPrincipals(set []*rbacv3.Principal) *rbacv3.Principal {
	if len(set) == 1 {
		return set[0]
	}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: set}}}
}
