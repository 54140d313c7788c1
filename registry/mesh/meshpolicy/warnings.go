// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// References tells what exists in the cluster. While known is false, nothing
// can be said about it yet.
type References interface {
	ServiceExists(namespace, name string) (exists, known bool)
	ServiceAccountExists(namespace, name string) (exists, known bool)
	NamespaceExists(name string) (exists, known bool)
}

// maxWarnings keeps a response short; the API server cuts what exceeds 4 KiB.
const maxWarnings = 8

// warnings says what is valid in a policy, and yet not what somebody wants.
func warnings(policy *mesh.MeshPolicy, references References) []string {
	var all []string
	if references != nil {
		all = append(all, missingTargets(policy, references)...)
		all = append(all, missingSources(policy, references)...)
	}
	all = append(all, surprisingSources(policy)...)
	all = append(all, literalStars(policy)...)
	all = append(all, dodgedPaths(policy)...)
	if len(all) > maxWarnings {
		more := fmt.Sprintf("and %d more warnings", len(all)-maxWarnings)
		all = append(all[:maxWarnings:maxWarnings], more)
	}
	return all
}

func missingTargets(policy *mesh.MeshPolicy, references References) []string {
	var all []string
	for i, ref := range policy.Spec.TargetRefs {
		exists, known := references.ServiceExists(policy.Namespace, ref.Name)
		if known && !exists {
			path := field.NewPath("spec", "targetRefs").Index(i)
			all = append(all, fmt.Sprintf("%s: Service %q does not exist in namespace %q: until it does, the policy affects nothing by it", path, ref.Name, policy.Namespace))
		}
	}
	return all
}

func missingSources(policy *mesh.MeshPolicy, references References) []string {
	var all []string
	effect := "until it does, no caller is admitted by it"
	if policy.Spec.Action == mesh.PolicyActionDeny {
		effect = "certificates that have outlived it are refused all the same"
	}
	eachSource(policy, func(path *field.Path, source mesh.PolicySource) {
		for i, account := range source.ServiceAccounts {
			namespace := namespaceOf(policy, account)
			exists, known := references.ServiceAccountExists(namespace, account.Name)
			if known && !exists {
				all = append(all, fmt.Sprintf("%s: ServiceAccount %q does not exist in namespace %q: %s",
					path.Child("serviceAccounts").Index(i), account.Name, namespace, effect))
			}
		}
		for i, namespace := range source.Namespaces {
			exists, known := references.NamespaceExists(namespace)
			if known && !exists {
				all = append(all, fmt.Sprintf("%s: namespace %q does not exist: %s", path.Child("namespaces").Index(i), namespace, effect))
			}
		}
	})
	return all
}

func surprisingSources(policy *mesh.MeshPolicy) []string {
	var all []string
	eachSource(policy, func(path *field.Path, source mesh.PolicySource) {
		if policy.Spec.Action == mesh.PolicyActionAllow && onlyIPBlocks(source) {
			all = append(all, fmt.Sprintf("%s: ipBlocks alone admit no caller from outside the mesh: add anonymous: {} for callers in plaintext", path))
		}
		if neverBoth(policy, source) {
			all = append(all, fmt.Sprintf("%s: matches no caller: none of serviceAccounts is in one of namespaces, and both must match; use two items to mean either", path))
		}
	})
	return all
}

// literalStars finds what somebody may mean for a pattern: "*" is a character
// like any other in a path (RFC 3986, 3.3) and in a method (RFC 9110, 5.6.2).
func literalStars(policy *mesh.MeshPolicy) []string {
	var all []string
	eachHTTP(policy, func(path *field.Path, match mesh.HTTPMatch) {
		for i, method := range match.Methods {
			if method == "*" {
				all = append(all, fmt.Sprintf("%s: \"*\" is a method of this name, not any method: leave methods out to mean any", path.Child("methods").Index(i)))
			}
		}
		for i, one := range match.Paths {
			if one.Type != mesh.PathMatchRegularExpression && strings.Contains(one.Value, "*") {
				all = append(all, fmt.Sprintf("%s: \"*\" in %q is compared as it is: to mean all below a path use PathPrefix without it, for patterns RegularExpression",
					path.Child("paths").Index(i).Child("value"), one.Value))
			}
		}
	})
	return all
}

// dodgedPaths finds what a Deny compares and a caller can spell otherwise:
// in normal form unreserved characters alone have one spelling (RFC 3986, 6.2.2.2).
func dodgedPaths(policy *mesh.MeshPolicy) []string {
	var all []string
	if policy.Spec.Action != mesh.PolicyActionDeny {
		return nil
	}
	eachHTTP(policy, func(path *field.Path, match mesh.HTTPMatch) {
		for i, one := range match.Paths {
			if one.Type != mesh.PathMatchRegularExpression && strings.ContainsAny(one.Value, "%!$&'()*+,;=:@") {
				all = append(all, fmt.Sprintf("%s: %q can be written in other ways, such as %%3B for \";\", which this Deny does not match",
					path.Child("paths").Index(i).Child("value"), one.Value))
			}
		}
	})
	return all
}

// onlyIPBlocks tells an item that demands an identity, though it names none.
func onlyIPBlocks(source mesh.PolicySource) bool {
	return len(source.IPBlocks) > 0 && len(source.ServiceAccounts) == 0 && len(source.Namespaces) == 0 &&
		len(source.Principals) == 0 && source.Authenticated == nil && source.Anonymous == nil
}

func neverBoth(policy *mesh.MeshPolicy, source mesh.PolicySource) bool {
	if len(source.ServiceAccounts) == 0 || len(source.Namespaces) == 0 {
		return false
	}
	return !slices.ContainsFunc(source.ServiceAccounts, func(account mesh.ServiceAccountReference) bool {
		return slices.Contains(source.Namespaces, namespaceOf(policy, account))
	})
}

func namespaceOf(policy *mesh.MeshPolicy, account mesh.ServiceAccountReference) string {
	if account.Namespace == "" {
		return policy.Namespace
	}
	return account.Namespace
}

func eachSource(policy *mesh.MeshPolicy, visit func(*field.Path, mesh.PolicySource)) {
	for i, rule := range policy.Spec.Rules {
		for j, source := range rule.From {
			visit(field.NewPath("spec", "rules").Index(i).Child("from").Index(j), source)
		}
	}
}

func eachHTTP(policy *mesh.MeshPolicy, visit func(*field.Path, mesh.HTTPMatch)) {
	for i, rule := range policy.Spec.Rules {
		for j, destination := range rule.To {
			if destination.HTTP != nil {
				visit(field.NewPath("spec", "rules").Index(i).Child("to").Index(j).Child("http"), *destination.HTTP)
			}
		}
	}
}
