// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package direct makes the outbound listener, which leads connections to addresses that
// callers choose themselves. There is one for each set of namespaces that is hidden.
package direct

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/headless"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Unit makes it. An address that comes or goes changes this listener alone: headless
// Services and accounts have the clusters to which it leads.
var Unit = engine.Kind{
	Name:  "direct",
	Watch: func(w *world.World, changed func(string)) { w.OnOutlook(changed) },
	Build: func(r world.Reader, view string, _ any) (engine.Product, error) {
		hidden, ok := r.Outlook(view)
		if !ok {
			return engine.Product{Gone: true}, nil
		}
		seen := compile.Seen(r, refuseFailed(r, compile.Direct(r)), hidden)
		resources, err := envoy.Direct(model.Mesh{Egress: compile.Egress(r)}, seen)
		return engine.Product{Resources: envoy.InView(view, resources)}, err
	},
	Effect: "what was sent before stays",
}

// refuseFailed leads to no Service that has no clusters and routes: Envoy would wait
// for them with the whole listener.
func refuseFailed(r world.Reader, d model.Direct) model.Direct {
	out := model.Direct{Groups: make([]model.DirectGroup, len(d.Groups))}
	for i, g := range d.Groups {
		var ports []model.DirectPort
		for _, p := range g.Ports {
			if p.Service != nil && r.Failed(headless.ID(world.Key(p.Service.Key))) != nil {
				p = model.DirectPort{Number: p.Number}
			}
			ports = append(ports, p)
		}
		g.Ports = ports
		out.Groups[i] = g
	}
	return out
}
