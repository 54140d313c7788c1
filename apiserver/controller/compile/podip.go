// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Direct gives who answers at the addresses that callers dial themselves.
//
// A headless Service owns the addresses of the pods behind it at their ports, of
// several the oldest. At every other port a meshed pod's address is its account's.
func Direct(w world.Reader) model.Direct { return direct.Of(w, struct{}{}) }

var direct = world.NewDerived(5, func(w world.Reader, _ struct{}) model.Direct {
	found := map[netip.Addr]*answers{}
	for address, peer := range podAddresses(w) {
		found[address] = &answers{otherwise: &peer}
	}
	claim := func(at netip.AddrPort, o owner) {
		a := found[at.Addr()]
		if a == nil {
			a = &answers{}
			found[at.Addr()] = a
		}
		a.claim(at.Port(), o)
	}
	var services []world.Key
	for _, s := range w.HeadlessServices() {
		services = append(services, world.Key{Namespace: s.Namespace, Name: s.Name})
	}
	for _, s := range services {
		for _, c := range claimsOf(w, s).own {
			claim(c.at, c.owner)
		}
	}
	for _, s := range services {
		for _, at := range claimsOf(w, s).foreign {
			claim(at, owner{peer: model.Peer{Plaintext: true}})
		}
	}
	return model.Direct{Groups: group(found)}
}, nil)

// claims are the addresses and ports that a headless Service claims.
type claims struct {
	own []claim
	// foreign are no pod's own.
	foreign []netip.AddrPort
}

type claim struct {
	at netip.AddrPort
	owner
}

func claimsOf(w world.Reader, service world.Key) claims { return allClaims.Of(w, service) }

var allClaims = world.NewDerived(4, func(w world.Reader, key world.Key) claims {
	service := w.Service(key)
	if service == nil || !world.Headless(service) {
		return claims{}
	}
	var out claims
	for _, p := range tcpPorts(service) {
		s := model.DirectService{Key: model.ServiceKey(key), Number: uint16(p.Port), Protocol: headlessProtocol(p)}
		for at, peer := range headlessPeers(w, service, p) {
			out.own = append(out.own, claim{at, owner{s, peer}})
		}
		out.foreign = append(out.foreign, foreign(w, service, p)...)
	}
	return out
}, nil)

// podAddresses gives who answers at the address of each meshed pod: its
// account, at whatever port. An address that two accounts seem to hold, as while
// a cache lags behind, is refused: it is some meshed pod's, so never plaintext.
func podAddresses(w world.Reader) map[netip.Addr]model.Peer {
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

// owner is who has an address at one port.
type owner struct {
	service model.DirectService
	peer    model.Peer
}

// answers is all that is known of one address.
type answers struct {
	ports     map[uint16]owner
	otherwise *model.Peer
}

// claim gives a port to the first who asks.
func (a *answers) claim(port uint16, o owner) {
	if _, taken := a.ports[port]; taken {
		return
	}
	if a.ports == nil {
		a.ports = map[uint16]owner{}
	}
	a.ports[port] = o
}

// key is the same for addresses that are treated alike.
func (a *answers) key() string {
	otherwise := "nobody"
	if a.otherwise != nil {
		otherwise = fmt.Sprintf("%+v", *a.otherwise)
	}
	// Maps are printed in the order of their keys.
	return fmt.Sprintf("%s %+v", otherwise, a.ports)
}

// group puts together what is treated alike, so that each address is said once.
func group(found map[netip.Addr]*answers) []model.DirectGroup {
	groups := map[string]*model.DirectGroup{}
	for _, address := range slices.SortedFunc(maps.Keys(found), netip.Addr.Compare) {
		a := found[address]
		key := a.key()
		g := groups[key]
		if g == nil {
			g = a.group()
			groups[key] = g
		}
		g.Addresses = append(g.Addresses, address)
	}
	var out []model.DirectGroup
	for _, g := range groups {
		out = append(out, *g)
	}
	slices.SortFunc(out, compareGroups)
	return out
}

func compareGroups(a, b model.DirectGroup) int { return a.Addresses[0].Compare(b.Addresses[0]) }

func sortedAddresses(set map[netip.Addr]struct{}) []netip.Addr {
	return slices.SortedFunc(maps.Keys(set), netip.Addr.Compare)
}

func (a *answers) group() *model.DirectGroup {
	g := &model.DirectGroup{Otherwise: a.otherwise}
	for _, number := range slices.Sorted(maps.Keys(a.ports)) {
		o := a.ports[number]
		port := model.DirectPort{Number: number, Peer: o.peer}
		if o.service != (model.DirectService{}) {
			port.Service = &o.service
		}
		g.Ports = append(g.Ports, port)
	}
	return g
}

// Account gives an account as whose pods peers may be met; false if no meshed
// pod runs as it.
func Account(w world.Reader, key world.Key) (model.Account, bool) {
	return model.Account(key), w.HasAccount(key)
}
