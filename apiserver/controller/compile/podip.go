// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// PodAddresses gives who answers at the address of each meshed pod: its
// account, at whatever port. An address that two accounts seem to hold, as while
// a cache lags behind, is refused: it is some meshed pod's, so never plaintext.
func PodAddresses(w *world.World) map[netip.Addr]model.Peer {
	peers := map[netip.Addr]model.Peer{}
	for address, accounts := range w.MeshedAt() {
		peer := model.Peer{Account: model.Account(accounts[0])}
		for _, other := range accounts[1:] {
			if other != accounts[0] {
				peer = model.Peer{}
			}
		}
		peers[address] = peer
	}
	return peers
}

// Direct gives who answers at the addresses that callers dial themselves at one
// port; false if no headless Service has an endpoint there. pods are
// PodAddresses. At world.AnyPort it gives them alone.
//
// A headless Service owns the addresses of the pods behind it at their ports, of
// several the oldest. Then come the addresses of meshed pods, at all ports.
func Direct(w *world.World, port uint16, pods map[netip.Addr]model.Peer) (model.Direct, bool) {
	owners := map[netip.Addr]owner{}
	claim := func(address netip.Addr, o owner) {
		if _, taken := owners[address]; !taken {
			owners[address] = o
		}
	}
	claimHeadless(w, port, claim)
	if len(owners) == 0 && port != world.AnyPort {
		return model.Direct{}, false
	}
	for address, peer := range pods {
		claim(address, owner{peer: peer})
	}
	return model.Direct{Port: port, Groups: group(owners)}, true
}

// owner is what a DirectGroup has in common.
type owner struct {
	service model.DirectService
	peer    model.Peer
}

func claimHeadless(w *world.World, port uint16, claim func(netip.Addr, owner)) {
	services := w.HeadlessAt(port)
	for _, s := range services {
		for _, p := range tcpPorts(s) {
			service := model.DirectService{
				Key:      model.ServiceKey{Namespace: s.Namespace, Name: s.Name},
				Number:   uint16(p.Port),
				Protocol: protocol(p),
			}
			for at, peer := range headlessPeers(w, s, p) {
				if at.Port() == port {
					claim(at.Addr(), owner{service, peer})
				}
			}
		}
	}
	for _, s := range services {
		for _, p := range tcpPorts(s) {
			for _, at := range foreign(w, s, p) {
				if at.Port() == port {
					claim(at.Addr(), owner{peer: model.Peer{Plaintext: true}})
				}
			}
		}
	}
}

func group(owners map[netip.Addr]owner) []model.DirectGroup {
	addresses := map[owner][]netip.Addr{}
	for address, o := range owners {
		addresses[o] = append(addresses[o], address)
	}
	var groups []model.DirectGroup
	for _, o := range slices.SortedFunc(maps.Keys(addresses), compareOwners) {
		g := model.DirectGroup{Peer: o.peer, Addresses: addresses[o]}
		if o.service != (model.DirectService{}) {
			g.Service = &o.service
		}
		slices.SortFunc(g.Addresses, netip.Addr.Compare)
		groups = append(groups, g)
	}
	return groups
}

func compareOwners(a, b owner) int {
	return cmp.Or(
		cmp.Compare(a.service.Key.Namespace, b.service.Key.Namespace),
		cmp.Compare(a.service.Key.Name, b.service.Key.Name),
		cmp.Compare(a.service.Number, b.service.Number),
		comparePeers(a.peer, b.peer),
	)
}

// Account gives an account as whose pods peers may be met; false if no meshed
// pod runs as it.
func Account(w *world.World, key world.Key) (model.Account, bool) {
	return model.Account(key), w.HasAccount(key)
}
