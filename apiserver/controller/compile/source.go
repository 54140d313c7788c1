// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// newSource compiles an item of "from". Its fields must all match, so the
// identities that remain are those that every field names; nobody is true if
// there is none.
func newSource(trustDomain string, policy *v1alpha1.MeshPolicy, in *v1alpha1.PolicySource) (source model.Source, nobody bool, err error) {
	if in.Anonymous != nil {
		return anonymous(in)
	}
	named, err := identities(trustDomain, policy, in)
	if err != nil {
		return source, false, err
	}
	if len(named) == 0 && len(in.IPBlocks) == 0 && in.Authenticated == nil {
		return source, false, errors.New("names no caller")
	}
	for _, list := range named {
		if source.Principals == nil {
			source.Principals = list
			continue
		}
		if source.Principals = intersect(source.Principals, list); len(source.Principals) == 0 {
			return model.Source{}, true, nil
		}
	}
	source.Principals = normal(source.Principals)
	source.Authenticated = in.Authenticated != nil || policy.Spec.Action != v1alpha1.PolicyActionDeny
	source.OrAnonymous = (in.Authenticated != nil || len(source.Principals) > 0) && matchesAnonymous(&policy.Spec)
	source.IPBlocks, err = ipBlocks(in.IPBlocks)
	return source, false, err
}

// anonymous compiles an item that speaks of callers without an identity. One
// that demands an identity as well is refused at admission, and matches nobody.
func anonymous(in *v1alpha1.PolicySource) (source model.Source, nobody bool, err error) {
	if in.Authenticated != nil || len(in.ServiceAccounts)+len(in.Namespaces)+len(in.Principals) > 0 {
		return source, false, errors.New("anonymous excludes fields that name identities")
	}
	source.Anonymous = true
	source.IPBlocks, err = ipBlocks(in.IPBlocks)
	return source, false, err
}

// matchesAnonymous tells whether a Deny takes a caller without an identity for
// whomever it names.
func matchesAnonymous(spec *v1alpha1.MeshPolicySpec) bool {
	return spec.Action == v1alpha1.PolicyActionDeny &&
		(spec.OnAnonymous == nil || *spec.OnAnonymous == v1alpha1.AnonymousMatch)
}

// identities gives a list of principals for each field that is set.
func identities(trustDomain string, policy *v1alpha1.MeshPolicy, in *v1alpha1.PolicySource) ([][]model.Principal, error) {
	var accounts, namespaces, principals []model.Principal
	for _, account := range in.ServiceAccounts {
		key := world.AccountKey(policy, account)
		if key.Name == "" {
			return nil, errors.New("serviceAccounts: an account without a name")
		}
		accounts = append(accounts, model.Principal{ID: model.SPIFFEID(trustDomain, key.Namespace, key.Name)})
	}
	for _, namespace := range in.Namespaces {
		if namespace == "" {
			return nil, errors.New("namespaces: an empty name")
		}
		namespaces = append(namespaces, model.Principal{ID: model.SPIFFEID(trustDomain, namespace, ""), Prefix: true})
	}
	for _, text := range in.Principals {
		p, err := principal(text)
		if err != nil {
			return nil, err
		}
		principals = append(principals, p)
	}
	return slices.DeleteFunc([][]model.Principal{accounts, namespaces, principals},
		func(list []model.Principal) bool { return len(list) == 0 }), nil
}

// principal reads a whole SPIFFE ID, or one that ends in "/*".
func principal(text string) (model.Principal, error) {
	id, prefix := strings.CutSuffix(text, "*")
	if !strings.HasPrefix(id, "spiffe://") || strings.Contains(id, "*") || prefix != strings.HasSuffix(id, "/") || id == "spiffe://" {
		return model.Principal{}, fmt.Errorf(`principal %q is neither a SPIFFE ID nor one that ends in "/*"`, text)
	}
	return model.Principal{ID: id, Prefix: prefix}, nil
}

// intersect gives what both lists name.
func intersect(a, b []model.Principal) []model.Principal {
	var both []model.Principal
	for _, p := range a {
		for _, q := range b {
			switch {
			case p == q || covers(q, p):
				both = append(both, p)
			case covers(p, q):
				both = append(both, q)
			}
		}
	}
	return both
}

// covers tells whether every ID that q names begins with p's prefix.
func covers(p, q model.Principal) bool {
	return p.Prefix && strings.HasPrefix(q.ID, p.ID)
}

// normal sorts principals and drops repeats.
func normal(principals []model.Principal) []model.Principal {
	slices.SortFunc(principals, func(a, b model.Principal) int { return strings.Compare(a.ID, b.ID) })
	return slices.Compact(principals)
}

func ipBlocks(in []v1alpha1.IPBlock) ([]model.IPBlock, error) {
	var out []model.IPBlock
	for _, block := range in {
		cidr, err := canonical(block.CIDR)
		if err != nil {
			return nil, err
		}
		for _, text := range block.Except {
			except, err := canonical(text)
			if err != nil {
				return nil, err
			}
			if !cidr.Overlaps(except) || except.Bits() < cidr.Bits() {
				return nil, fmt.Errorf("except %q is not inside %q", text, block.CIDR)
			}
		}
		out = append(out, model.IPBlock{CIDR: block.CIDR, Except: slices.Clone(block.Except)})
	}
	return out, nil
}

func canonical(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Masked().String() != text || prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not a CIDR in canonical form", text)
	}
	return prefix, nil
}
