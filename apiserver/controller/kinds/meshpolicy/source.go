// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// source translates an item of "from" of a policy in a namespace. With an error it
// gives what can be read: whom the item names is reported on all the same.
func source(namespace string, in *v1alpha1.PolicySource) (intent.Source, error) {
	out := intent.Source{
		Namespaces:    in.Namespaces,
		Authenticated: in.Authenticated != nil,
		Anonymous:     in.Anonymous != nil,
	}
	for _, account := range in.ServiceAccounts {
		key := intent.Key{Namespace: account.Namespace, Name: account.Name}
		if key.Namespace == "" {
			key.Namespace = namespace
		}
		out.ServiceAccounts = append(out.ServiceAccounts, key)
	}
	var broken error
	for _, text := range in.Principals {
		p, err := principal(text)
		out.Principals = append(out.Principals, p)
		if broken == nil {
			broken = err
		}
	}
	if err := checkIdentities(in); err != nil {
		return out, err
	}
	if broken != nil {
		return out, broken
	}
	var err error
	out.IPBlocks, err = ipBlocks(in.IPBlocks)
	return out, err
}

func checkIdentities(in *v1alpha1.PolicySource) error {
	named := len(in.ServiceAccounts) + len(in.Namespaces) + len(in.Principals)
	switch {
	case in.Anonymous != nil && (in.Authenticated != nil || named > 0):
		return errors.New("anonymous excludes fields that name identities")
	case slices.ContainsFunc(in.ServiceAccounts, func(a v1alpha1.ServiceAccountReference) bool { return a.Name == "" }):
		return errors.New("serviceAccounts: an account without a name")
	case slices.Contains(in.Namespaces, ""):
		return errors.New("namespaces: an empty name")
	case named == 0 && len(in.IPBlocks) == 0 && in.Authenticated == nil && in.Anonymous == nil:
		return errors.New("names no caller")
	}
	return nil
}

// principal reads a whole SPIFFE ID, or one that ends in "/*".
func principal(text string) (model.Principal, error) {
	id, prefix := strings.CutSuffix(text, "*")
	out := model.Principal{ID: id, Prefix: prefix}
	if !strings.HasPrefix(id, "spiffe://") || strings.Contains(id, "*") || prefix != strings.HasSuffix(id, "/") || id == "spiffe://" {
		return out, fmt.Errorf(`principal %q is neither a SPIFFE ID nor one that ends in "/*"`, text)
	}
	return out, nil
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
