// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package redirect

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The ranges kept for benchmarks (RFC 2544, RFC 5180).
const (
	podIPv4, peerIPv4 = "198.18.0.1", "198.18.0.2"
	podIPv6, peerIPv6 = "2001:2:0:1::1", "2001:2:0:1::2"
)

// patience is how long to wait for what takes milliseconds.
const patience = time.Minute

// world is a pod and a peer, each a network namespace, with a cable between.
type world struct{ pod, peer *namespace }

// namespace runs functions on a thread of its own, which is thrown away in the end.
type namespace struct {
	name  string
	tasks chan func()
}

func newWorld(t *testing.T) world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: it makes network namespaces")
	}
	w := world{pod: newNamespace(t, "pod"), peer: newNamespace(t, "peer")}
	peerThread := 0
	must(t, w.peer.do(func() error { peerThread = unix.Gettid(); return nil }))
	must(t, w.pod.do(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: "eth0"},
			PeerName:  "eth0", PeerNamespace: netlink.NsPid(peerThread),
		})
	}))
	must(t, w.pod.do(func() error { return configure(podIPv4+"/24", podIPv6+"/64") }))
	must(t, w.peer.do(func() error { return configure(peerIPv4+"/24", peerIPv6+"/64") }))
	for _, n := range []*namespace{w.pod, w.peer} {
		n.awaitLink(t)
	}
	return w
}

func newNamespace(t *testing.T, name string) *namespace {
	n := &namespace{name: name, tasks: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with the goroutine.
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for task := range n.tasks {
			task()
		}
	}()
	must(t, <-ready)
	t.Cleanup(func() { close(n.tasks) })
	return n
}

// do runs f in the namespace.
func (n *namespace) do(f func() error) error {
	result := make(chan error)
	n.tasks <- func() { result <- f() }
	return <-result
}

func configure(addresses ...string) error {
	for _, name := range []string{"lo", "eth0"} {
		device, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(device); err != nil {
			return err
		}
		if name == "lo" {
			continue
		}
		for _, address := range addresses {
			parsed, err := netlink.ParseAddr(address)
			if err != nil {
				return err
			}
			parsed.Flags = unix.IFA_F_NODAD
			if err := netlink.AddrAdd(device, parsed); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitLink waits until the cable carries: the kernel drops what is sent before it
// has noticed that the other end is up as well, which it does a while later.
func (n *namespace) awaitLink(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		var device netlink.Link
		must(t, n.do(func() (err error) { device, err = netlink.LinkByName("eth0"); return err }))
		if device.Attrs().OperState == netlink.OperUp {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("eth0 of %s is %s", n.name, device.Attrs().OperState)
		}
	}
}

// listen answers each connection with the port and, if the connection was
// redirected, with the address that the caller had dialled.
func (n *namespace) listen(t *testing.T, port string) {
	t.Helper()
	var listener net.Listener
	must(t, n.do(func() (err error) { listener, err = net.Listen("tcp", ":"+port); return err }))
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answer := port + " of " + n.name
			if wanted, err := originalDestination(conn.(*net.TCPConn)); err == nil && wanted != unmapped(conn.LocalAddr()) {
				answer = port + " for " + wanted.String()
			}
			io.WriteString(conn, answer)
			conn.Close()
		}
	}()
}

// owner is a process's user and group.
type owner struct{ uid, gid int }

// call dials as owner, from source if it is not empty, and gives the answer.
func (n *namespace) call(t *testing.T, owner owner, source, to string) string {
	t.Helper()
	dialer := net.Dialer{Timeout: patience}
	if source != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(source)}
	}
	var conn net.Conn
	must(t, n.do(func() (err error) {
		// A socket belongs to the filesystem uid and gid of the thread that makes it.
		unix.RawSyscall(unix.SYS_SETFSGID, uintptr(owner.gid), 0, 0)
		unix.RawSyscall(unix.SYS_SETFSUID, uintptr(owner.uid), 0, 0)
		defer unix.RawSyscall(unix.SYS_SETFSGID, 0, 0, 0)
		defer unix.RawSyscall(unix.SYS_SETFSUID, 0, 0, 0)
		conn, err = dialer.Dial("tcp", to)
		return err
	}))
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(conn)
	must(t, err)
	return string(answer)
}

// callFrom dials from an address and port, and gives the answer, which is empty where
// the call does not arrive.
func (n *namespace) callFrom(t *testing.T, from netip.AddrPort, to string) string {
	t.Helper()
	// A SYN that is dropped has no answer.
	dialer := net.Dialer{Timeout: 5 * time.Second, LocalAddr: net.TCPAddrFromAddrPort(from)}
	var conn net.Conn
	if err := n.do(func() (err error) { conn, err = dialer.Dial("tcp", to); return err }); err != nil {
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func (n *namespace) echoUDP(t *testing.T, port string) {
	t.Helper()
	var conn net.PacketConn
	must(t, n.do(func() (err error) { conn, err = net.ListenPacket("udp", ":"+port); return err }))
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			conn.WriteTo(buffer[:size], from)
		}
	}()
}

func (n *namespace) exchangeUDP(t *testing.T, to, message string) string {
	t.Helper()
	var conn net.Conn
	must(t, n.do(func() (err error) { conn, err = net.Dial("udp", to); return err }))
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	_, err := io.WriteString(conn, message)
	must(t, err)
	buffer := make([]byte, 1500)
	size, err := conn.Read(buffer)
	must(t, err)
	return string(buffer[:size])
}

// originalDestination is what the caller dialled, before the redirection.
func originalDestination(conn *net.TCPConn) (destination netip.AddrPort, err error) {
	const soOriginalDst = 80 // linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h
	raw, err := conn.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	local := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	controlErr := raw.Control(func(fd uintptr) {
		if local.Unmap().Is4() {
			var name *unix.IPv6Mreq // 20 bytes, of which struct sockaddr_in takes 16
			if name, err = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, soOriginalDst); err == nil {
				b := name.Multiaddr
				destination = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4]))
			}
			return
		}
		var name *unix.IPv6MTUInfo // begins with a struct sockaddr_in6
		if name, err = unix.GetsockoptIPv6MTUInfo(int(fd), unix.SOL_IPV6, soOriginalDst); err == nil {
			var port [2]byte
			binary.NativeEndian.PutUint16(port[:], name.Addr.Port)
			destination = netip.AddrPortFrom(netip.AddrFrom16(name.Addr.Addr), binary.BigEndian.Uint16(port[:]))
		}
	})
	if controlErr != nil {
		return netip.AddrPort{}, controlErr
	}
	return destination, err
}

func unmapped(address net.Addr) netip.AddrPort {
	a := address.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// withoutCapabilities runs f on a thread that holds none; the thread is not
// used again.
func withoutCapabilities(f func() error) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return f()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
