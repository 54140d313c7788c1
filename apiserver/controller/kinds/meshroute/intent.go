// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshroute

import (
	"cmp"
	"strconv"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
)

// Kind is that of the objects.
const Kind = "MeshRoute"

// Reference names a MeshRoute.
func Reference(key intent.Key) intent.Reference { return intent.Reference{Kind: Kind, Key: key} }

// defaultWeight is a backend's that has none (v1alpha1).
const defaultWeight = 1

// Routes gives what a MeshRoute says, one Route for each parent. A parent that is no
// Service has none.
func Routes(route *v1alpha1.MeshRoute) (intent.Origin, []intent.Route) {
	origin := intent.Origin{
		Reference: Reference(intent.Key{Namespace: route.Namespace, Name: route.Name}),
		UID:       route.UID, Generation: route.Generation,
	}
	var routes []intent.Route
	for _, parent := range route.Spec.ParentRefs {
		if !isService(parent.Group, parent.Kind) {
			continue
		}
		routes = append(routes, intent.Route{
			Origin:  origin,
			Created: route.CreationTimestamp.Time,
			Rank:    intent.RankMeshRoute,
			Parent:  intent.Key{Namespace: route.Namespace, Name: parent.Name},
			Port:    uint16(ptr.Deref(parent.Port, 0)),
			HTTP:    rules(route),
		})
	}
	return origin, routes
}

func rules(route *v1alpha1.MeshRoute) []intent.HTTPRule {
	var out []intent.HTTPRule
	for i, rule := range route.Spec.HTTP {
		to := intent.HTTPRule{Name: cmp.Or(rule.Name, strconv.Itoa(i))}
		for _, backend := range rule.BackendRefs {
			to.Backends = append(to.Backends, backendOf(route, &backend))
		}
		out = append(out, to)
	}
	return out
}

// backendOf keeps the share of a backend that is no Service: it fails.
func backendOf(route *v1alpha1.MeshRoute, in *v1alpha1.HTTPBackendReference) intent.Backend {
	out := intent.Backend{Weight: uint32(ptr.Deref(in.Weight, defaultWeight))}
	if isService(in.Group, cmp.Or(in.Kind, intent.KindService)) {
		out.Service, out.Port = intent.Key{Namespace: route.Namespace, Name: in.Name}, uint16(in.Port)
	}
	return out
}

func isService(group, kind string) bool { return group == "" && kind == intent.KindService }
