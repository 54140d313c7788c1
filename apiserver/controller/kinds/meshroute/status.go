// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshroute

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/status"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Source reads MeshRoutes.
var Source = kinds.Source{
	Informer: func(i kinds.Informers) cache.SharedIndexInformer {
		return i.Mesh.Mesh().V1alpha1().MeshRoutes().Informer()
	},
	Stored: true,
	Set: func(object any, _ kinds.Options) kinds.Change {
		route, ok := object.(*v1alpha1.MeshRoute)
		if !ok {
			return nil
		}
		origin, routes := Routes(route)
		return func(w *world.World) { w.SetRoutes(origin, routes) }
	},
	Delete: func(key world.Key) kinds.Change {
		return func(w *world.World) { w.DeleteRoutes(Reference(key)) }
	},
	Target: target,
}

func target(c kinds.Clients) status.Target {
	routes := c.Mesh.Mesh().V1alpha1().MeshRoutes().Lister()
	return status.Target{
		Kind: Name,
		Get: func(key types.NamespacedName) (status.Object, error) {
			return routes.MeshRoutes(key.Namespace).Get(key.Name)
		},
		Edit: func(o status.Object) (status.Object, status.Fields) {
			route := *o.(*v1alpha1.MeshRoute)
			route.Status = *route.Status.DeepCopy()
			return &route, status.Fields{Status: &route.Status, Conditions: &route.Status.Conditions, Proxies: &route.Status.Proxies}
		},
		Write: func(ctx context.Context, o status.Object) error {
			_, err := c.Client.MeshV1alpha1().MeshRoutes(o.GetNamespace()).UpdateStatus(ctx, o.(*v1alpha1.MeshRoute), metav1.UpdateOptions{FieldManager: status.FieldManager})
			return err
		},
	}
}
