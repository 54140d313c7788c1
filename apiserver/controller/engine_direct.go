// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// What applications call by an address of their own choice is compiled in three
// kinds of unit, so that an address that comes or goes changes one listener alone:
// a headless Service and an account have the clusters to which it leads.

// headless compiles the clusters and routes of a headless Service. If it cannot
// be compiled it has none: its chains refuse.
func (e *engine) headless(ctx context.Context, key world.Key) {
	u := unit.ID{Kind: kindHeadless, Name: key.String()}
	err := guarded(kindHeadless, func() error {
		service, ok := compile.Headless(e.world, key)
		if !ok {
			e.ledger.put(u, nil)
			return nil
		}
		resources, err := envoy.Headless(compile.Mesh(e.world), service)
		if err == nil {
			e.ledger.put(u, inView(e.world.NamespaceView(key.Namespace), resources))
		}
		return err
	})
	delete(e.broken, key)
	if err != nil {
		failed(ctx, u, err, "its endpoints refuse")
		e.ledger.put(u, nil)
		e.broken[key] = struct{}{}
	}
}

// account compiles the cluster of an account's pods.
func (e *engine) account(ctx context.Context, key world.Key) {
	u := unit.ID{Kind: kindAccount, Name: key.String()}
	err := guarded(kindAccount, func() error {
		account, ok := compile.Account(e.world, key)
		if !ok {
			e.ledger.put(u, nil)
			return nil
		}
		resources, err := envoy.Account(compile.Mesh(e.world), account)
		if err == nil {
			e.ledger.put(u, inView(e.world.NamespaceView(key.Namespace), resources))
		}
		return err
	})
	if err != nil {
		failed(ctx, u, err, "its pods cannot be called by their addresses")
		e.ledger.put(u, nil)
	}
}

// direct compiles the outbound listener, for each view that sees others.
func (e *engine) direct(ctx context.Context) {
	var all model.Direct
	outlooks := e.world.Outlooks()
	err := guarded(kindDirect, func() error {
		all = e.refuseBroken(compile.Direct(e.world))
		return nil
	})
	if err != nil {
		failed(ctx, unit.ID{Kind: kindDirect}, err, "what was sent before stays")
		return
	}
	for view, hidden := range outlooks {
		u := unit.ID{Kind: kindDirect, Name: view}
		err := guarded(kindDirect, func() error {
			resources, err := envoy.Direct(compile.Mesh(e.world), compile.Seen(e.world, all, hidden))
			if err == nil {
				e.ledger.put(u, inView(view, resources))
			}
			return err
		})
		if err != nil {
			failed(ctx, u, err, "what was sent before stays")
		}
	}
	for view := range e.outlooks {
		if _, still := outlooks[view]; !still {
			e.ledger.put(unit.ID{Kind: kindDirect, Name: view}, nil)
		}
	}
	e.outlooks = outlooks
}

// inView makes resources those of the proxies that share a view.
func inView(view string, resources []envoy.Resource) []envoy.Resource {
	return envoy.InView(view, resources)
}

// refuseBroken leads to no Service that has no clusters and routes: Envoy would
// wait for them with the whole listener.
func (e *engine) refuseBroken(d model.Direct) model.Direct {
	if len(e.broken) == 0 {
		return d
	}
	for _, g := range d.Groups {
		for i, p := range g.Ports {
			if p.Service == nil {
				continue
			}
			if _, ok := e.broken[world.Key(p.Service.Key)]; ok {
				g.Ports[i] = model.DirectPort{Number: p.Number}
			}
		}
	}
	return d
}
