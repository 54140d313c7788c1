// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"cmp"
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// chainRefuse names a chain without filters: such a connection is closed.
const chainRefuse = "refuse"

// chainPlaintext names the chain of what is outside the mesh and may be called.
const chainPlaintext = "plaintext"

// Direct makes the outbound listener, which knows whom the application calls by
// an address of its own choice. A pod or an endpoint that comes or goes changes
// its matcher, in place, and nothing else.
func Direct(m model.Mesh, d model.Direct) ([]Resource, error) {
	var out collector
	out.add(Encode(ListenerOutbound, "", outboundListener(m.Egress, d.Groups)))
	return out.result("addresses of pods")
}

// Account makes the cluster by which the pods of an account are called at their
// own addresses: as TCP, since no route speaks of them, and with the account as
// the only name that the callee may have.
func Account(m model.Mesh, a model.Account) ([]Resource, error) {
	name := AccountName(a)
	c := originalDst(name)
	c.TransportSocket = accountTLS(m, sidecar.ALPNTCP, a)
	var out collector
	out.add(Encode(name, "", c))
	return out.result("account " + name)
}

// chainsOf gives the chains to which groups lead, each once. That of an account
// is there while one of its pods is, whatever Services have the pods' ports, so
// that no Service that comes or goes ends what goes through it.
func chainsOf(groups []model.DirectGroup) []*listenerv3.FilterChain {
	chains := []*listenerv3.FilterChain{chain(chainRefuse, nil)}
	seen := map[string]bool{chainRefuse: true}
	add := func(p model.DirectPort) {
		if name := directChainName(p); !seen[name] {
			seen[name] = true
			chains = append(chains, chainOf(name, p))
		}
	}
	for _, g := range groups {
		for _, p := range g.Ports {
			add(p)
		}
		if g.Otherwise != nil {
			add(model.DirectPort{Peer: *g.Otherwise})
		}
	}
	slices.SortFunc(chains, func(a, b *listenerv3.FilterChain) int { return cmp.Compare(a.Name, b.Name) })
	return chains
}

func chainOf(name string, p model.DirectPort) *listenerv3.FilterChain {
	switch {
	case p.Service != nil:
		return serviceChain(name, name, p.Service.Protocol)
	case p.Peer.Plaintext:
		return directChain(name, ClusterPassthrough)
	default:
		return directChain(name, name)
	}
}

func directChainName(p model.DirectPort) string {
	switch {
	case p.Peer == (model.Peer{}):
		return chainRefuse
	case p.Service != nil:
		return HeadlessName(*p.Service, p.Peer)
	case p.Peer.Plaintext:
		return chainPlaintext
	default:
		return AccountName(p.Peer.Account)
	}
}
