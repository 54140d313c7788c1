// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package redirect

import (
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

var (
	root  = owner{0, 0}
	app   = owner{1000, 1000}
	proxy = owner{sidecar.FirstProxyUID, sidecar.ProxyGID}
)

// TestTCP dials through the rules, with real sockets, in both families.
func TestTCP(t *testing.T) {
	world := newWorld(t)
	if err := world.pod.do(install); err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{"15001", "15006", "15020", "15021", "15090", "8080"} {
		world.pod.listen(t, port)
	}
	world.peer.listen(t, "8080")

	for _, family := range []struct{ name, pod, peer, loopback, source, any string }{
		{"IPv4", podIPv4, peerIPv4, "127.0.0.1", "127.0.0.6", "0.0.0.0"},
		{"IPv6", podIPv6, peerIPv6, "::1", "::6", "::"},
	} {
		for _, test := range []struct {
			name   string
			from   *namespace
			owner  owner
			source string
			to     string
			// who answers, and the address that it was told the caller wanted
			want string
		}{
			{"app calls out", world.pod, app, "", at(family.peer, "8080"), "15001 for " + at(family.peer, "8080")},
			{"root calls out", world.pod, root, "", at(family.peer, "8080"), "15001 for " + at(family.peer, "8080")},
			{"app with the proxy's user calls out", world.pod, owner{sidecar.FirstProxyUID, 1000}, "", at(family.peer, "8080"), "15001 for " + at(family.peer, "8080")},
			{"app calls another pod's proxy", world.pod, app, "", at(family.peer, "15020"), "15006 for " + at(family.peer, "15020")},
			{"app calls another pod's metrics", world.pod, app, "", at(family.peer, "15090"), "15006 for " + at(family.peer, "15090")},
			{"app calls its own pod's metrics", world.pod, app, "", at(family.pod, "15090"), "15001 for " + at(family.pod, "15090")},
			{"proxy calls out", world.pod, proxy, "", at(family.peer, "8080"), "8080 of peer"},
			{"app calls its own pod", world.pod, app, "", at(family.pod, "8080"), "15001 for " + at(family.pod, "8080")},
			{"proxy calls its own pod as a client", world.pod, proxy, "", at(family.pod, "8080"), "15006 for " + at(family.pod, "8080")},
			{"proxy delivers to its app", world.pod, proxy, family.source, at(family.pod, "8080"), "8080 of pod"},
			{"app calls loopback", world.pod, app, "", at(family.loopback, "8080"), "8080 of pod"},
			{"proxy calls loopback", world.pod, proxy, "", at(family.loopback, "8080"), "8080 of pod"},
			{"peer calls the app", world.peer, app, "", at(family.pod, "8080"), "15006 for " + at(family.pod, "8080")},
			{"peer calls a port that nobody listens on", world.peer, app, "", at(family.pod, "7"), "15006 for " + at(family.pod, "7")},
			{"peer calls the outbound port", world.peer, app, "", at(family.pod, "15001"), "15006 for " + at(family.pod, "15001")},
			{"kubelet probes the app", world.peer, root, "", at(family.pod, "15020"), "15020 of pod"},
			{"kubelet probes the proxy", world.peer, root, "", at(family.pod, "15021"), "15021 of pod"},
			{"Prometheus scrapes", world.peer, app, "", at(family.pod, "15090"), "15090 of pod"},
		} {
			t.Run(family.name+"/"+test.name, func(t *testing.T) {
				if got := test.from.call(t, test.owner, test.source, test.to); got != test.want {
					t.Errorf("call to %s was answered by %q, want %q", test.to, got, test.want)
				}
			})
		}
	}
}

// TestWhatTheProxyHasOpenedBeforeTheRulesStaysOpen is about its connection to the
// control plane, on which that speaks next.
func TestWhatTheProxyHasOpenedBeforeTheRulesStaysOpen(t *testing.T) {
	world := newWorld(t)
	servers, proxys := map[string]net.Conn{}, map[string]net.Conn{}
	for _, ip := range []string{peerIPv4, peerIPv6} {
		var listener net.Listener
		must(t, world.peer.do(func() (err error) { listener, err = net.Listen("tcp", at(ip, "15012")); return err }))
		defer listener.Close()
		must(t, world.pod.do(func() (err error) { proxys[ip], err = net.Dial("tcp", at(ip, "15012")); return err }))
		defer proxys[ip].Close()
		var err error
		servers[ip], err = listener.Accept()
		must(t, err)
		defer servers[ip].Close()
	}
	must(t, world.pod.do(install))
	for ip, server := range servers {
		_, err := io.WriteString(server, "hello")
		must(t, err)
		proxys[ip].SetDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(proxys[ip], make([]byte, 5)); err != nil {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

func TestUDPIsLeftAlone(t *testing.T) {
	world := newWorld(t)
	if err := world.pod.do(install); err != nil {
		t.Fatal(err)
	}
	world.peer.echoUDP(t, "5353")
	for _, ip := range []string{peerIPv4, peerIPv6} {
		if got := world.pod.exchangeUDP(t, at(ip, "5353"), "hello"); got != "hello" {
			t.Errorf("UDP to %s came back as %q", ip, got)
		}
	}
}

func TestInstallTwiceIsInstallOnce(t *testing.T) {
	world := newWorld(t)
	for range 2 {
		if err := world.pod.do(install); err != nil {
			t.Fatal(err)
		}
	}
	err := world.pod.do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		chains, err := conn.ListChains()
		if err != nil {
			return err
		}
		if len(chains) != 8 {
			t.Errorf("%d chains, want 4 in each family", len(chains))
		}
		want := map[string]int{"foreign": 6, "inbound": 8, "outbound": 8, "unled": 6}
		for _, chain := range chains {
			rules, err := conn.GetRules(chain.Table, chain)
			if err != nil {
				return err
			}
			if len(rules) != want[chain.Name] {
				t.Errorf("chain %s has %d rules, want %d", chain.Name, len(rules), want[chain.Name])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPodWithoutIPv6(t *testing.T) {
	world := newWorld(t)
	err := world.pod.do(func() error {
		for _, device := range []string{"all", "lo"} {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0o644); err != nil {
				return err
			}
		}
		return install()
	})
	if err != nil {
		t.Fatal(err)
	}
	world.pod.listen(t, "15001")
	if got, want := world.pod.call(t, app, "", at(peerIPv4, "8080")), "15001 for "+at(peerIPv4, "8080"); got != want {
		t.Errorf("answered by %q, want %q", got, want)
	}
}

func TestWithoutNetAdminTheErrorSaysWhatToGive(t *testing.T) {
	world := newWorld(t)
	err := world.pod.do(func() error { return withoutCapabilities(install) })
	if err == nil || !strings.Contains(err.Error(), "give the container the capability NET_ADMIN") {
		t.Errorf("error is %v", err)
	}
}

func install() error { return Install(Exclusions{}) }

func TestExcludedTrafficGoesPastTheProxy(t *testing.T) {
	world := newWorld(t)
	except := Exclusions{
		InboundPorts: []uint16{9090}, OutboundPorts: []uint16{3306},
		OutboundRanges: []netip.Prefix{netip.MustParsePrefix(peerIPv6 + "/128")},
	}
	must(t, world.pod.do(func() error { return Install(except) }))
	for _, port := range []string{"15001", "15006", "8080", "9090"} {
		world.pod.listen(t, port)
	}
	for _, port := range []string{"3306", "8080"} {
		world.peer.listen(t, port)
	}
	for _, test := range []struct {
		name     string
		from     *namespace
		to, want string
	}{
		{"inbound port", world.peer, at(podIPv4, "9090"), "9090 of pod"},
		{"inbound port by IPv6", world.peer, at(podIPv6, "9090"), "9090 of pod"},
		{"another inbound port", world.peer, at(podIPv4, "8080"), "15006 for " + at(podIPv4, "8080")},
		{"outbound port", world.pod, at(peerIPv4, "3306"), "3306 of peer"},
		{"another outbound port", world.pod, at(peerIPv4, "8080"), "15001 for " + at(peerIPv4, "8080")},
		{"outbound range", world.pod, at(peerIPv6, "8080"), "8080 of peer"},
		{"an inbound port is no outbound port", world.pod, at(peerIPv4, "9090"), "15001 for " + at(peerIPv4, "9090")},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.from.call(t, app, "", test.to); got != test.want {
				t.Errorf("call to %s was answered by %q, want %q", test.to, got, test.want)
			}
		})
	}
}

func TestExcludedInterfaceGoesPastTheProxy(t *testing.T) {
	world := newWorld(t)
	must(t, world.pod.do(func() error { return Install(Exclusions{Interfaces: []string{"eth0"}}) }))
	world.pod.listen(t, "8080")
	world.peer.listen(t, "8080")
	if got := world.peer.call(t, app, "", at(podIPv4, "8080")); got != "8080 of pod" {
		t.Errorf("a call in was answered by %q", got)
	}
	if got := world.pod.call(t, app, "", at(peerIPv4, "8080")); got != "8080 of peer" {
		t.Errorf("a call out was answered by %q", got)
	}
}

func at(ip, port string) string { return net.JoinHostPort(ip, port) }
