// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package redirect

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// rule is the list of expressions of one nftables rule. All use register 1.
type rule []expr.Any

func match(conditions ...rule) rule {
	var all rule
	for _, condition := range conditions {
		all = append(all, condition...)
	}
	return all
}

func (r rule) then(verdict ...expr.Any) rule { return append(r, verdict...) }

// family is what differs between IPv4 and IPv6.
type family struct {
	name  string
	table nftables.TableFamily
	// Offsets of the addresses in the network header, and their length, in bytes.
	source, destination, length uint32
	loopback                    netip.Prefix
	// inboundSource is the address from which the proxy calls its own app.
	inboundSource netip.Prefix
}

var (
	ipv4 = family{
		name: "ip", table: nftables.TableFamilyIPv4, source: 12, destination: 16, length: 4,
		loopback: netip.MustParsePrefix("127.0.0.0/8"), inboundSource: netip.MustParsePrefix("127.0.0.6/32"),
	}
	ipv6 = family{
		name: "ip6", table: nftables.TableFamilyIPv6, source: 8, destination: 24, length: 16,
		loopback: netip.MustParsePrefix("::1/128"), inboundSource: netip.MustParsePrefix("::6/128"),
	}
)

func (f family) sourceIs(p netip.Prefix) rule      { return f.address(f.source, expr.CmpOpEq, p) }
func (f family) destinationIs(p netip.Prefix) rule { return f.address(f.destination, expr.CmpOpEq, p) }
func (f family) destinationIsNot(p netip.Prefix) rule {
	return f.address(f.destination, expr.CmpOpNeq, p)
}

func (f family) address(offset uint32, op expr.CmpOp, prefix netip.Prefix) rule {
	mask := make([]byte, f.length)
	for i := range prefix.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return rule{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: f.length},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: f.length, Mask: mask, Xor: make([]byte, f.length)},
		&expr.Cmp{Op: op, Register: 1, Data: prefix.Masked().Addr().AsSlice()},
	}
}

func tcp() rule {
	return rule{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
	}
}

// opensConnection matches a SYN alone, and opensNoConnection all else; tcp comes
// before either.
func opensConnection() rule   { return flags(expr.CmpOpEq) }
func opensNoConnection() rule { return flags(expr.CmpOpNeq) }

// flags compares those of TCP with a SYN alone.
func flags(op expr.CmpOp) rule {
	const fin, syn, rst, ack = 0x01, 0x02, 0x04, 0x10 // RFC 9293, 3.1
	return rule{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{fin | syn | rst | ack}, Xor: []byte{0}},
		&expr.Cmp{Op: op, Register: 1, Data: []byte{syn}},
	}
}

// port matches the destination port; tcp comes before it.
func port(number uint16) rule {
	return rule{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(number)},
	}
}

// fromPort matches the source port; tcp comes before it.
func fromPort(number uint16) rule {
	return rule{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(number)},
	}
}

// notRedirected matches what belongs to a connection whose destination is as its
// caller wrote it.
func notRedirected() rule {
	const destinationChanged = 1 << 5 // IPS_DST_NAT, linux/netfilter/nf_conntrack_common.h
	return rule{
		&expr.Ct{Register: 1, Key: expr.CtKeySTATUS},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(destinationChanged), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}
}

// group matches the group of the process that made the socket.
func group(gid uint32) rule {
	return rule{
		&expr.Meta{Key: expr.MetaKeySKGID, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(gid)},
	}
}

// elsewhere matches a destination that is no address of this namespace.
func elsewhere() rule {
	return rule{
		&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}
}

func goesOut(device string) rule { return onDevice(expr.MetaKeyOIFNAME, device) }
func comesIn(device string) rule { return onDevice(expr.MetaKeyIIFNAME, device) }

func onDevice(key expr.MetaKey, name string) rule {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return rule{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded},
	}
}

func accept() expr.Any { return &expr.Verdict{Kind: expr.VerdictAccept} }
func drop() expr.Any   { return &expr.Verdict{Kind: expr.VerdictDrop} }

func redirectTo(number uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binaryutil.BigEndian.PutUint16(number)},
		&expr.Redir{RegisterProtoMin: 1},
	}
}
