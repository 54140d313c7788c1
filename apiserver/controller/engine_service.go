// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"reflect"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// front is all that a Service's resources are made from but its endpoints, and the
// view that they are in.
type front struct {
	service model.Service
	view    string
}

// service compiles a Service. Where its endpoints alone are others, its clusters,
// routes and listeners are not made again: that was a quarter of what an endpoint's
// change cost the server before it was sent to anybody.
func (e *engine) service(ctx context.Context, key world.Key) {
	e.headless(ctx, key)
	u, behind := unit.ID{Kind: kindService, Name: key.String()}, unit.ID{Kind: kindEndpoints, Name: key.String()}
	build := func(compiled func(*world.World, world.Key) (model.Service, bool)) error {
		return guarded(kindService, func() error {
			service, ok := compiled(e.world, key)
			if !ok {
				e.ledger.put(u, nil)
				e.ledger.put(behind, nil)
				delete(e.fronts, key)
				return nil
			}
			next := front{service.WithoutEndpoints(), e.world.NamespaceView(key.Namespace)}
			endpoints, err := envoy.ServiceEndpoints(service)
			if err != nil {
				return err
			}
			if last, ok := e.fronts[key]; !ok || !reflect.DeepEqual(last, next) {
				resources, err := envoy.Service(next.service)
				if err != nil {
					return err
				}
				e.ledger.put(u, inView(next.view, resources))
				e.fronts[key] = next
			}
			e.ledger.put(behind, inView(next.view, endpoints))
			return nil
		})
	}
	if err := build(compile.Service); err != nil {
		failed(ctx, u, err, "its addresses refuse")
		if err := build(compile.RefusingService); err != nil {
			failed(ctx, u, err, "what was sent before stays")
		}
	}
}
