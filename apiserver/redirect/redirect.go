// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package redirect leads the TCP traffic of a pod through its proxy, by
// nftables over netlink, in the network namespace of the calling thread. UDP
// and other protocols are left alone.
package redirect

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/google/nftables"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Table is the name of the nftables table, in the families ip and ip6.
const Table = "mesh"

// Exclusions are what goes past the proxy.
type Exclusions struct {
	// InboundPorts and OutboundPorts are destination ports of TCP.
	InboundPorts, OutboundPorts []uint16
	// OutboundRanges are destinations, of both families.
	OutboundRanges []netip.Prefix
	// Interfaces are names of network devices, for both directions.
	Interfaces []string
}

// Install writes the redirection for each address family that the namespace
// has. Each family's table is replaced in one transaction, so that Install may
// run again, as it does when the init container restarts.
func Install(except Exclusions) error {
	families := []family{ipv4}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		families = append(families, ipv6)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for IPv6: %w", err)
	}
	for _, f := range families {
		if err := f.install(except); err != nil {
			return fmt.Errorf("write nftables table %s %s: %w", f.name, Table, explain(err))
		}
	}
	if len(families) == 1 {
		return nil
	}
	return addInboundSource()
}

func (f family) install(except Exclusions) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Family: f.table, Name: Table}
	// Deleting demands that the table is there.
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)

	accepting := nftables.ChainPolicyAccept
	for _, c := range []struct {
		chain nftables.Chain
		rules []rule
	}{
		{nftables.Chain{Name: "foreign", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw}, f.foreign(except)},
		// -100; some kernels' output hook knows no name for it.
		{nftables.Chain{Name: "outbound", Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest}, f.outbound(except)},
		{nftables.Chain{Name: "inbound", Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest}, f.inbound(except)},
		{nftables.Chain{Name: "unled", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter}, f.unled(except)},
	} {
		c.chain.Table, c.chain.Policy = table, &accepting
		chain := conn.AddChain(&c.chain)
		for _, rule := range c.rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: rule})
		}
	}
	return conn.Flush()
}

// foreign are the rules that drop what a neighbour on the pod's link sends to
// others' addresses, before anything changes its destination. The kernel drops
// what comes to loopback addresses from elsewhere only after that, and not at all
// where route_localnet is set.
func (f family) foreign(except Exclusions) []rule {
	rules := []rule{
		match(comesIn("lo")).then(accept()),
	}
	for _, own := range []netip.Prefix{f.loopback, f.inboundSource} {
		rules = append(rules,
			match(f.destinationIs(own)).then(drop()),
			match(f.sourceIs(own)).then(drop()))
	}
	for _, device := range except.Interfaces {
		rules = append(rules, match(comesIn(device)).then(accept()))
	}
	return append(rules, match(tcp(), elsewhere()).then(drop()))
}

// outbound are the rules for what leaves a process of the pod; the first that
// matches decides.
func (f family) outbound(except Exclusions) []rule {
	rules := []rule{
		// The proxy calls its own app from this address: deliver.
		match(goesOut("lo"), f.sourceIs(f.inboundSource)).then(accept()),
		// The proxy calls the pod itself, as a client: take the way that other
		// clients' calls take.
		match(tcp(), goesOut("lo"), group(sidecar.ProxyGID), f.destinationIsNot(f.loopback)).then(redirectTo(sidecar.PortInbound)...),
		match(group(sidecar.ProxyGID)).then(accept()),
		match(f.destinationIs(f.loopback)).then(accept()),
	}
	for _, device := range except.Interfaces {
		rules = append(rules, match(goesOut(device)).then(accept()))
	}
	for _, number := range except.OutboundPorts {
		rules = append(rules, match(tcp(), port(number)).then(accept()))
	}
	for _, prefix := range except.OutboundRanges {
		if prefix.Addr().Is4() == (f.length == 4) {
			rules = append(rules, match(f.destinationIs(prefix)).then(accept()))
		}
	}
	// The proxy has listeners of its own on these ports, to which its outbound
	// listener would hand over a call to another pod's. The inbound one closes it.
	for _, number := range openPorts {
		rules = append(rules, match(tcp(), port(number), elsewhere()).then(redirectTo(sidecar.PortInbound)...))
	}
	return append(rules, match(tcp()).then(redirectTo(sidecar.PortOutbound)...))
}

// openPorts are those of the proxy that take calls as they come.
var openPorts = []uint16{sidecar.PortProbes, sidecar.PortReadiness, sidecar.PortPrometheus}

// inbound are the rules for what reaches the pod from elsewhere.
func (f family) inbound(except Exclusions) []rule {
	rules := []rule{
		match(comesIn("lo")).then(accept()),
		// The proxy has opened its connection to the control plane before these rules
		// are there; to the kernel the first packet that they see would begin one. From
		// other ports a neighbour could begin one in the name of any caller, whose SYN
		// would then be dropped.
		match(tcp(), fromPort(sidecar.PortXDS), opensNoConnection()).then(accept()),
		// What is not for the pod's own addresses is none of the proxy's.
		match(f.destinationIs(f.loopback)).then(accept()),
		match(elsewhere()).then(accept()),
	}
	for _, number := range openPorts {
		rules = append(rules, match(tcp(), port(number)).then(accept()))
	}
	for _, device := range except.Interfaces {
		rules = append(rules, match(comesIn(device)).then(accept()))
	}
	for _, number := range except.InboundPorts {
		rules = append(rules, match(tcp(), port(number)).then(accept()))
	}
	return append(rules, match(tcp()).then(redirectTo(sidecar.PortInbound)...))
}

// unled are the rules that drop a connection which the inbound chain has not led
// anywhere. That chain sees only what begins a connection for the kernel's tracking,
// and a segment without SYN may begin one there (nf_conntrack_tcp_loose): a SYN with
// the same ports that follows fast enough is then of a known connection, and would go
// straight to the application.
func (f family) unled(except Exclusions) []rule {
	rules := []rule{
		match(comesIn("lo")).then(accept()),
		match(tcp(), port(sidecar.PortInbound)).then(accept()),
	}
	for _, number := range slices.Concat(openPorts, except.InboundPorts) {
		rules = append(rules, match(tcp(), port(number)).then(accept()))
	}
	for _, device := range except.Interfaces {
		rules = append(rules, match(comesIn(device)).then(accept()))
	}
	return append(rules, match(tcp(), opensConnection()).then(drop()))
}

// explain adds the remedy to what the kernel says in one word.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: give the container the capability NET_ADMIN", err)
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EPROTONOSUPPORT):
		return fmt.Errorf("%w: the node's kernel needs nf_tables, nft_chain_nat, nft_redir and nft_fib", err)
	}
	return err
}
