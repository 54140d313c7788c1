// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package redirect

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestANeighbourReachesNoAddressThatIsNotThePods sends frames as a pod of the
// same bridge may that has raw sockets: with the pod's MAC, and whatever
// addresses it likes. The kernel drops the loopback ones after the redirection,
// or, with route_localnet, not at all.
func TestANeighbourReachesNoAddressThatIsNotThePods(t *testing.T) {
	for _, setting := range []struct{ name, routeLocalnet string }{{"kernel's default", "0"}, {"with route_localnet", "1"}} {
		t.Run(setting.name, func(t *testing.T) {
			world := newWorld(t)
			must(t, world.pod.do(func() error {
				for _, device := range []string{"all", "eth0"} {
					if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+device+"/route_localnet", []byte(setting.routeLocalnet), 0o644); err != nil {
						return err
					}
				}
				return install()
			}))
			for _, port := range []string{"15006", "15020", "8080"} {
				world.pod.listen(t, port)
			}
			link := newWire(t, world)
			good := []struct{ from, to string }{{peerIPv4, podIPv4}, {peerIPv6, podIPv6}}
			// Until the pod knows the peer's MAC it keeps answers back, by family.
			for _, ip := range good {
				link.wantNext(t, ip.to, link.send(t, netip.MustParseAddr(ip.from), netip.MustParseAddr(ip.to), 8080))
			}
			for _, frame := range []struct{ name, from, to string }{
				{"loopback", peerIPv4, "127.0.0.1"},
				{"the proxy's source", peerIPv4, "127.0.0.6"},
				{"another's address", peerIPv4, "198.18.77.7"},
				{"loopback from loopback", "127.0.0.1", "127.0.0.1"},
				{"the pod from the proxy's source", "127.0.0.6", podIPv4},
				{"IPv6 loopback", peerIPv6, "::1"},
				{"the proxy's IPv6 source", peerIPv6, "::6"},
				{"the pod from the proxy's IPv6 source", "::6", podIPv6},
				{"another's IPv6 address", peerIPv6, "2001:2:0:77::7"},
			} {
				for _, port := range []uint16{8080, 15006, 15020} {
					link.send(t, netip.MustParseAddr(frame.from), netip.MustParseAddr(frame.to), port)
				}
			}
			// The link keeps the order: an answer to these ends the wait for one to those.
			for _, ip := range good {
				link.wantNext(t, ip.to, link.send(t, netip.MustParseAddr(ip.from), netip.MustParseAddr(ip.to), 8080))
			}
		})
	}
}

// TestASegmentThatComesBeforeASYNLeadsItPastNoProxy sends an ACK first. The kernel's
// tracking takes that for a connection that is not redirected, until the pod's RST
// ends it; a SYN on another processor may come before. Here no RST leaves the pod, so
// that the SYN always does.
func TestASegmentThatComesBeforeASYNLeadsItPastNoProxy(t *testing.T) {
	world := newWorld(t)
	must(t, world.pod.do(install))
	must(t, world.pod.do(dropResets))
	for _, port := range []string{"15006", "8080"} {
		world.pod.listen(t, port)
	}
	link := newWire(t, world)
	for _, ip := range []struct{ from, to string }{{peerIPv4, podIPv4}, {peerIPv6, podIPv6}} {
		from, to := netip.MustParseAddr(ip.from), netip.MustParseAddr(ip.to)
		link.wantNext(t, ip.to, link.send(t, from, to, 8080))
		next := link.port
		// What comes from another port is redirected, whatever it is.
		link.port = sidecar.PortXDS
		link.sendAgain(t, from, to, 8080, flagACK)
		link.sendAgain(t, from, to, 8080, flagSYN)
		link.port = next
		link.wantNext(t, ip.to, link.send(t, from, to, 8080))
	}
}

// TestASegmentOfANeighbourKeepsNoCallerAway sends an ACK in the name of a caller. To
// one that is signed (RFC 2385) the kernel gives no answer, so that the connection is
// one to its tracking for days, and no SYN from that port would be redirected.
func TestASegmentOfANeighbourKeepsNoCallerAway(t *testing.T) {
	world := newWorld(t)
	must(t, world.pod.do(install))
	for _, port := range []string{"15006", "8080"} {
		world.pod.listen(t, port)
	}
	link := newWire(t, world)
	signature := append([]byte{19, 18}, make([]byte, 18)...)
	for _, ip := range []struct{ from, to string }{{peerIPv4, podIPv4}, {peerIPv6, podIPv6}} {
		from, to := netip.MustParseAddr(ip.from), netip.MustParseAddr(ip.to)
		link.port++
		link.sendAgain(t, from, to, 8080, flagACK, signature...)
		got := world.peer.callFrom(t, netip.AddrPortFrom(from, link.port), at(ip.to, "8080"))
		if want := "15006 for " + at(ip.to, "8080"); got != want {
			t.Errorf("a call to %s was answered by %q, want %q", ip.to, got, want)
		}
	}
}

// dropResets keeps what the kernel says of unknown connections in the pod.
func dropResets() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "resets"})
	chain := conn.AddChain(&nftables.Chain{
		Table: table, Name: "output", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRaw,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: match(tcp(), rule{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{flagRST}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{flagRST}},
	}).then(drop())})
	return conn.Flush()
}

// wire is the peer's end of the cable, for frames as they are.
type wire struct {
	fd       int
	device   int
	pod, own net.HardwareAddr
	port     uint16
}

func newWire(t *testing.T, world world) *wire {
	t.Helper()
	w := &wire{port: 40000}
	must(t, world.pod.do(func() error {
		device, err := netlink.LinkByName("eth0")
		if err == nil {
			w.pod = device.Attrs().HardwareAddr
		}
		return err
	}))
	must(t, world.peer.do(func() error {
		device, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		w.own, w.device = device.Attrs().HardwareAddr, device.Attrs().Index
		if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(networkOrder(unix.ETH_P_ALL))); err != nil {
			return err
		}
		if err := unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
			return err
		}
		return unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: w.device})
	}))
	t.Cleanup(func() { unix.Close(w.fd) })
	return w
}

// wantNext waits for what the pod sends next, which has to be the answer from
// this address to this port.
func (w *wire) wantNext(t *testing.T, from string, port uint16) {
	t.Helper()
	gotFrom, gotPort, ok := w.answer(t)
	if !ok || gotFrom.String() != from || gotPort != port {
		t.Errorf("the next answer is %s's to port %d (%v), want %s's to %d", gotFrom, gotPort, ok, from, port)
	}
}

// send sends a SYN, from the port that it gives, each time another.
func (w *wire) send(t *testing.T, from, to netip.Addr, port uint16) uint16 {
	t.Helper()
	w.port++
	w.sendAgain(t, from, to, port, flagSYN)
	return w.port
}

// Flags of a TCP segment (RFC 9293, 3.1).
const flagSYN, flagRST, flagACK = 0x02, 0x04, 0x10

// sendAgain sends a segment from the port of the last one.
func (w *wire) sendAgain(t *testing.T, from, to netip.Addr, port uint16, flags byte, options ...byte) {
	t.Helper()
	segment := append(make([]byte, 20), options...)
	binary.BigEndian.PutUint16(segment[0:], w.port)
	binary.BigEndian.PutUint16(segment[2:], port)
	segment[12], segment[13] = byte(len(segment)/4)<<4, flags
	binary.BigEndian.PutUint16(segment[14:], 64240)
	binary.BigEndian.PutUint16(segment[16:], checksum(pseudoHeader(from, to, len(segment)), segment))

	packet := ipHeader(from, to, len(segment))
	protocol := uint16(unix.ETH_P_IP)
	if to.Is6() {
		protocol = unix.ETH_P_IPV6
	}
	frame := append(append([]byte{}, w.pod...), w.own...)
	frame = binary.BigEndian.AppendUint16(frame, protocol)
	frame = append(append(frame, packet...), segment...)
	must(t, unix.Sendto(w.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.device, Protocol: networkOrder(protocol), Halen: 6, Addr: [8]byte(append(append([]byte{}, w.pod...), 0, 0))}))
}

// answer gives where the next TCP segment that the pod sends comes from, and the
// port that it goes to.
func (w *wire) answer(t *testing.T) (from netip.Addr, port uint16, ok bool) {
	t.Helper()
	buffer := make([]byte, 2048)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		size, from, err := unix.Recvfrom(w.fd, buffer, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		must(t, err)
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		frame := buffer[:size]
		switch binary.BigEndian.Uint16(frame[12:]) {
		case unix.ETH_P_IP:
			if frame[14+9] == unix.IPPROTO_TCP {
				return netip.AddrFrom4([4]byte(frame[14+12 : 14+16])), binary.BigEndian.Uint16(frame[14+20+2:]), true
			}
		case unix.ETH_P_IPV6:
			if frame[14+6] == unix.IPPROTO_TCP {
				return netip.AddrFrom16([16]byte(frame[14+8 : 14+24])), binary.BigEndian.Uint16(frame[14+40+2:]), true
			}
		}
	}
	return netip.Addr{}, 0, false
}

func ipHeader(from, to netip.Addr, payload int) []byte {
	if to.Is6() {
		header := make([]byte, 8, 40)
		header[0], header[6], header[7] = 6<<4, unix.IPPROTO_TCP, 64
		binary.BigEndian.PutUint16(header[4:], uint16(payload))
		return append(append(header, from.AsSlice()...), to.AsSlice()...)
	}
	header := make([]byte, 12, 20)
	header[0], header[8], header[9] = 4<<4|5, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(header[2:], uint16(20+payload))
	header = append(append(header, from.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	return header
}

func pseudoHeader(from, to netip.Addr, payload int) []byte {
	header := append(from.AsSlice(), to.AsSlice()...)
	return binary.BigEndian.AppendUint16(append(header, 0, unix.IPPROTO_TCP), uint16(payload))
}

// checksum is the Internet's (RFC 1071), over parts of an even length each.
func checksum(parts ...[]byte) uint16 {
	var sum uint32
	for _, part := range parts {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}
