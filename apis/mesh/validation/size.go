// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// Bounds of a whole policy. Every proxy of the target gets a filter chain for
// each port that is named, and in it all that the rules say, so one object must
// not be what the bounds of its lists would multiply to: 65,536 ports named by
// half a megabyte were 115 MB of configuration a workload.
const (
	maxPolicyPorts = 64
	maxPolicyItems = 4096
	// itemsPerExpression is what a regular expression weighs, for its program.
	itemsPerExpression = 16
)

// validateSize bounds what the rules of a policy say together.
func validateSize(rules []mesh.PolicyRule, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	ports := sets.New[intstr.IntOrString]()
	items := 0
	for i := range rules {
		for j := range rules[i].From {
			items += sourceSize(&rules[i].From[j])
		}
		for j := range rules[i].To {
			items += destinationSize(&rules[i].To[j])
			ports.Insert(rules[i].To[j].Ports...)
		}
	}
	if len(ports) > maxPolicyPorts {
		errs = append(errs, field.Invalid(path, len(ports), fmt.Sprintf("must name at most %d different ports in all", maxPolicyPorts)))
	}
	if items > maxPolicyItems {
		errs = append(errs, field.Invalid(path, items, fmt.Sprintf("must hold at most %d items in all lists of from and to together, a regular expression counting as %d: split the policy, or name namespaces",
			maxPolicyItems, itemsPerExpression)))
	}
	return errs
}

func sourceSize(source *mesh.PolicySource) int {
	size := 1 + len(source.ServiceAccounts) + len(source.Namespaces) + len(source.Principals)
	for _, block := range source.IPBlocks {
		size += 1 + len(block.Except)
	}
	return size
}

func destinationSize(destination *mesh.PolicyDestination) int {
	size := 1 + len(destination.Ports)
	if destination.GRPC != nil {
		size += len(destination.GRPC.Methods)
	}
	if destination.HTTP == nil {
		return size
	}
	size += len(destination.HTTP.Methods) + len(destination.HTTP.Hosts)
	for _, match := range destination.HTTP.Paths {
		size += matchSize(match.Type == mesh.PathMatchRegularExpression)
	}
	for _, match := range destination.HTTP.Headers {
		size += matchSize(match.Type == mesh.HeaderMatchRegularExpression)
	}
	return size
}

func matchSize(expression bool) int {
	if expression {
		return itemsPerExpression
	}
	return 1
}
