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
	"os"
	"syscall"

	"github.com/google/nftables"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Table is the name of the nftables table, in the families ip and ip6.
const Table = "mesh"

// Install writes the redirection for each address family that the namespace
// has. Each family's table is replaced in one transaction, so that Install may
// run again, as it does when the init container restarts.
func Install() error {
	families := []family{ipv4}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		families = append(families, ipv6)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for IPv6: %w", err)
	}
	for _, f := range families {
		if err := f.install(); err != nil {
			return fmt.Errorf("write nftables table %s %s: %w", f.name, Table, explain(err))
		}
	}
	if len(families) == 1 {
		return nil
	}
	return addInboundSource()
}

func (f family) install() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Family: f.table, Name: Table}
	// Deleting demands that the table is there.
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)

	outbound := conn.AddChain(f.chain(table, "outbound", nftables.ChainHookOutput))
	for _, rule := range f.outbound() {
		conn.AddRule(&nftables.Rule{Table: table, Chain: outbound, Exprs: rule})
	}
	inbound := conn.AddChain(f.chain(table, "inbound", nftables.ChainHookPrerouting))
	for _, rule := range f.inbound() {
		conn.AddRule(&nftables.Rule{Table: table, Chain: inbound, Exprs: rule})
	}
	return conn.Flush()
}

func (f family) chain(table *nftables.Table, name string, hook *nftables.ChainHook) *nftables.Chain {
	accept := nftables.ChainPolicyAccept
	return &nftables.Chain{
		Table: table, Name: name, Type: nftables.ChainTypeNAT, Hooknum: hook, Policy: &accept,
		// -100; some kernels' output hook knows no name for it.
		Priority: nftables.ChainPriorityNATDest,
	}
}

// outbound are the rules for what leaves a process of the pod; the first that
// matches decides.
func (f family) outbound() []rule {
	return []rule{
		// The proxy calls its own app from this address: deliver.
		match(goesOut("lo"), f.sourceIs(f.inboundSource)).then(accept()),
		// The proxy calls the pod itself, as a client: take the way that other
		// clients' calls take.
		match(tcp(), goesOut("lo"), user(model.ProxyUID), f.destinationIsNot(f.loopback)).then(redirectTo(model.PortInbound)...),
		match(user(model.ProxyUID)).then(accept()),
		match(f.destinationIs(f.loopback)).then(accept()),
		match(tcp()).then(redirectTo(model.PortOutbound)...),
	}
}

// inbound are the rules for what reaches the pod from elsewhere.
func (f family) inbound() []rule {
	return []rule{
		match(comesIn("lo")).then(accept()),
		match(tcp(), port(model.PortProbes)).then(accept()),
		match(tcp(), port(model.PortReadiness)).then(accept()),
		match(tcp(), port(model.PortPrometheus)).then(accept()),
		match(tcp()).then(redirectTo(model.PortInbound)...),
	}
}

// explain adds the remedy to what the kernel says in one word.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: give the container the capability NET_ADMIN", err)
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EPROTONOSUPPORT):
		return fmt.Errorf("%w: the node's kernel needs nf_tables, nft_chain_nat and nft_redir", err)
	}
	return err
}
