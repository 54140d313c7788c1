// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

const spiffeScheme = "spiffe://"

var (
	// SPIFFE-ID specification, 2.1: lower-case letters, digits, '.', '-', '_'.
	trustDomainPattern = regexp.MustCompile(`^[a-z0-9._-]{1,255}$`)
	// SPIFFE-ID specification, 2.2: letters, digits, '.', '-', '_', not "." or "..".
	pathSegmentPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
)

func validateSource(source *mesh.PolicySource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	errs = append(errs, notEmpty(source.ServiceAccounts, path.Child("serviceAccounts"), "")...)
	errs = append(errs, notEmpty(source.Namespaces, path.Child("namespaces"), "")...)
	errs = append(errs, notEmpty(source.Principals, path.Child("principals"), "")...)
	errs = append(errs, notEmpty(source.IPBlocks, path.Child("ipBlocks"), "")...)
	if source.ServiceAccounts == nil && source.Namespaces == nil && source.Principals == nil &&
		source.IPBlocks == nil && source.Authenticated == nil && source.Anonymous == nil {
		errs = append(errs, field.Required(path, "must set serviceAccounts, namespaces, principals, ipBlocks, authenticated or anonymous"))
	}
	named := len(source.ServiceAccounts) + len(source.Namespaces) + len(source.Principals)
	if source.Anonymous != nil && (named > 0 || source.Authenticated != nil) {
		errs = append(errs, field.Forbidden(path.Child("anonymous"),
			"must be left out beside serviceAccounts, namespaces, principals and authenticated: no caller has an identity and has none. Write an item of its own"))
	}
	for i, principal := range source.Principals {
		errs = append(errs, validatePrincipal(principal, path.Child("principals").Index(i))...)
	}
	for i := range source.IPBlocks {
		errs = append(errs, validateIPBlock(&source.IPBlocks[i], path.Child("ipBlocks").Index(i))...)
	}
	return errs
}

func validatePrincipal(principal string, path *field.Path) field.ErrorList {
	invalid := func(why string) field.ErrorList {
		return field.ErrorList{field.Invalid(path, principal, why)}
	}
	id, ok := strings.CutPrefix(principal, spiffeScheme)
	if !ok {
		return invalid(`must be a SPIFFE ID, such as "spiffe://cluster.local/ns/NAMESPACE/sa/ACCOUNT", or end in "/*"`)
	}
	trustDomain, rest, hasPath := strings.Cut(id, "/")
	if !trustDomainPattern.MatchString(trustDomain) {
		return invalid("must have a trust domain of lower-case letters, digits, '.', '-' and '_'")
	}
	if !hasPath {
		return invalid(`must have a path, or end in "/*"`)
	}
	if rest == "*" {
		return nil
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(rest, "/*"), "/") {
		if !pathSegmentPattern.MatchString(segment) || segment == "." || segment == ".." {
			return invalid(fmt.Sprintf(`must have path segments of letters, digits, '.', '-' and '_', or "*" as the last: %q is none`, segment))
		}
	}
	return nil
}

func validateIPBlock(block *mesh.IPBlock, path *field.Path) field.ErrorList {
	errs := notEmpty(block.Except, path.Child("except"), "")
	if block.CIDR == "" {
		return errs
	}
	outer, wrong := parseCIDR(block.CIDR, path.Child("cidr"))
	if wrong != nil {
		return append(errs, wrong)
	}
	for i, except := range block.Except {
		exceptPath := path.Child("except").Index(i)
		inner, wrong := parseCIDR(except, exceptPath)
		switch {
		case wrong != nil:
			errs = append(errs, wrong)
		case inner.Bits() <= outer.Bits() || !outer.Contains(inner.Addr()):
			errs = append(errs, field.Invalid(exceptPath, except, fmt.Sprintf("must be inside %s and smaller", block.CIDR)))
		}
	}
	return errs
}

func parseCIDR(value string, path *field.Path) (netip.Prefix, *field.Error) {
	prefix, err := netip.ParsePrefix(value)
	if err != nil {
		return prefix, field.Invalid(path, value, `must be a range such as "192.0.2.0/24" or "2001:db8::/32"`)
	}
	if prefix.Addr().Is4In6() {
		return prefix, field.Invalid(path, value, "must not be an IPv4 address written as IPv6")
	}
	if canonical := prefix.Masked().String(); canonical != value {
		return prefix, field.Invalid(path, value, fmt.Sprintf("must be in canonical form: %q", canonical))
	}
	return prefix, nil
}
