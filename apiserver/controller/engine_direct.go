// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"strconv"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// What applications call by an address of their own choice is compiled in three
// kinds of unit, so that an address that comes or goes changes listeners alone:
// a headless Service and an account have the clusters to which listeners lead.

// headless compiles the clusters and routes of a headless Service. If it cannot
// be compiled it has none: its chains refuse.
func (e *engine) headless(ctx context.Context, key world.Key) {
	u := unit{kindHeadless, key.String()}
	err := guarded(kindHeadless, func() error {
		service, ok := compile.Headless(e.world, key)
		if !ok {
			e.ledger.put(u, nil)
			return nil
		}
		resources, err := envoy.Headless(compile.Mesh(e.world), service)
		if err == nil {
			e.ledger.put(u, resources)
		}
		return err
	})
	if err != nil {
		failed(ctx, u, err, "its endpoints refuse")
		e.ledger.put(u, nil)
	}
}

// account compiles the cluster of an account's pods.
func (e *engine) account(ctx context.Context, key world.Key) {
	u := unit{kindAccount, key.String()}
	err := guarded(kindAccount, func() error {
		account, ok := compile.Account(e.world, key)
		if !ok {
			e.ledger.put(u, nil)
			return nil
		}
		resources, err := envoy.Account(compile.Mesh(e.world), account)
		if err == nil {
			e.ledger.put(u, resources)
		}
		return err
	})
	if err != nil {
		failed(ctx, u, err, "its pods cannot be called by their addresses")
		e.ledger.put(u, nil)
	}
}

// addresses compiles the listeners of ports. Whatever changes the addresses of
// meshed pods marks world.AnyPort too.
func (e *engine) addresses(ctx context.Context, ports map[uint16]struct{}) {
	if _, ok := ports[world.AnyPort]; ok {
		e.pods = compile.PodAddresses(e.world)
	}
	for port := range ports {
		e.direct(ctx, port)
	}
}

func (e *engine) direct(ctx context.Context, port uint16) {
	u := unit{kindDirect, strconv.Itoa(int(port))}
	err := guarded(kindDirect, func() error {
		direct, ok := compile.Direct(e.world, port, e.pods)
		if !ok {
			e.ledger.put(u, nil)
			return nil
		}
		resources, err := envoy.Direct(compile.Mesh(e.world), direct)
		if err == nil {
			e.ledger.put(u, resources)
		}
		return err
	})
	if err != nil {
		failed(ctx, u, err, "what was sent before stays")
	}
}
