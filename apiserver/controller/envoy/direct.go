// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// chainRefuse names a chain without filters: such a connection is closed.
const chainRefuse = "refuse"

// chainPlaintext names the chain of what is outside the mesh and may be called.
const chainPlaintext = "plaintext"

// Direct makes the listeners that know whom the application calls by an address
// of its own choice: those of one port, one a family, or, for port 0, the
// outbound listener itself. A pod or an endpoint that comes or goes changes
// their matchers, and nothing else.
func Direct(m model.Mesh, d model.Direct) ([]Resource, error) {
	var out collector
	if d.Port == 0 {
		out.add(Encode(ListenerOutbound, "", outboundListener(m.Egress, d.Groups)))
	} else {
		out.addAll(wildcardListeners(m, d))
	}
	return out.result(fmt.Sprintf("addresses at port %d", d.Port))
}

// Account makes the cluster by which the pods of an account are called at their
// own addresses: as TCP, since no route speaks of them, and with the account as
// the only name that the callee may have.
func Account(m model.Mesh, a model.Account) ([]Resource, error) {
	name := AccountName(a)
	c := originalDst(name)
	c.TransportSocket = accountTLS(m, model.ALPNTCP, a)
	var out collector
	out.add(Encode(name, "", c))
	return out.result("account " + name)
}

// chainsOf gives the chains to which groups lead, each once.
func chainsOf(groups []model.DirectGroup) []*listenerv3.FilterChain {
	chains := []*listenerv3.FilterChain{chain(chainRefuse)}
	seen := map[string]bool{chainRefuse: true}
	for _, g := range groups {
		if c := chainOf(g); !seen[c.Name] {
			seen[c.Name] = true
			chains = append(chains, c)
		}
	}
	return chains
}

func chainOf(g model.DirectGroup) *listenerv3.FilterChain {
	name := directChainName(g)
	switch {
	case name == chainRefuse:
		return chain(name)
	case g.Service != nil:
		return headlessChain(*g.Service, g.Peer)
	case g.Peer.Plaintext:
		return chain(name, networkFilter(tcpProxyFilter, tcpProxy(name, ClusterPassthrough)))
	default:
		return chain(name, networkFilter(tcpProxyFilter, tcpProxy(name, name)))
	}
}

func directChainName(g model.DirectGroup) string {
	switch {
	case g.Peer == (model.Peer{}):
		return chainRefuse
	case g.Service != nil:
		return HeadlessName(*g.Service, g.Peer)
	case g.Peer.Plaintext:
		return chainPlaintext
	default:
		return AccountName(g.Peer.Account)
	}
}
