// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshroute

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// Services tells what exists in the cluster. While known is false, nothing can be
// said about it yet.
type Services interface {
	ServiceExists(namespace, name string) (exists, known bool)
}

// maxWarnings keeps a response short; the API server cuts what exceeds 4 KiB.
const maxWarnings = 8

// warnings says what is valid in a route, and yet surprising.
func warnings(route *mesh.MeshRoute, services Services) []string {
	var all []string
	if services != nil {
		all = append(all, missing(route, services)...)
	}
	rules := field.NewPath("spec", "http")
	for i, rule := range route.Spec.HTTP {
		sendsNothing := func(backend mesh.HTTPBackendReference) bool { return backend.Weight != nil && *backend.Weight == 0 }
		switch {
		case i > 0:
			all = append(all, fmt.Sprintf("%s: is never used: %s matches every request", rules.Index(i), rules.Index(0)))
		case !slices.ContainsFunc(rule.BackendRefs, func(backend mesh.HTTPBackendReference) bool { return !sendsNothing(backend) }):
			all = append(all, fmt.Sprintf("%s: all weights are 0: every request is answered with status 500", rules.Index(i).Child("backendRefs")))
		}
	}
	if len(all) > maxWarnings {
		more := fmt.Sprintf("and %d more warnings", len(all)-maxWarnings)
		all = append(all[:maxWarnings:maxWarnings], more)
	}
	return all
}

func missing(route *mesh.MeshRoute, services Services) []string {
	var all []string
	look := func(path *field.Path, name, effect string) {
		if exists, known := services.ServiceExists(route.Namespace, name); known && !exists {
			all = append(all, fmt.Sprintf("%s: Service %q does not exist in namespace %q: until it does, %s", path, name, route.Namespace, effect))
		}
	}
	spec := field.NewPath("spec")
	for i, parent := range route.Spec.ParentRefs {
		look(spec.Child("parentRefs").Index(i), parent.Name, "the route affects nothing by it")
	}
	for i, rule := range route.Spec.HTTP {
		for j, backend := range rule.BackendRefs {
			look(spec.Child("http").Index(i).Child("backendRefs").Index(j), backend.Name, "the route sends nothing to it")
		}
	}
	return all
}
