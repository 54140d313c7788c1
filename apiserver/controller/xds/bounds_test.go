// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestNoStreamIsRefusedForWhatTheServerHasSentIt: a tenant can make a great many
// resources, and every proxy holds what it sees.
func TestNoStreamIsRefusedForWhatTheServerHasSentIt(t *testing.T) {
	const many = 20_000
	h := newHarness(t)
	a := pod("a", "v1")
	request := &discovery.DeltaDiscoveryRequest{TypeUrl: routes.typeURL(), InitialResourceVersions: map[string]string{}}
	var resources []envoy.Resource
	for i := range many {
		name := fmt.Sprintf("out/shop/%d:80", i)
		request.ResourceNamesSubscribe = append(request.ResourceNamesSubscribe, name)
		request.InitialResourceVersions[name] = "0"
		resources = append(resources, encoded(t, routes, name, "", "1"))
	}
	h.start([]model.Proxy{a}, resources...)
	c := h.connect(a)
	c.send(request)
	if got := len(c.next().GetResources()); got != many {
		t.Errorf("was sent %d resources, want %d", got, many)
	}
}

// TestTheLongestNameThatThereIsIsTaken: or every proxy that sees it would be
// refused for it.
func TestTheLongestNameThatThereIsIsTaken(t *testing.T) {
	label, subdomain := strings.Repeat("n", 63), strings.Repeat("a", 253)
	service := model.DirectService{Key: model.ServiceKey{Namespace: label, Name: label}, Number: 65535}
	account := model.Account{Namespace: label, Name: subdomain}
	for _, name := range []string{
		envoy.HeadlessName(service, model.Peer{Account: account}), envoy.HeadlessName(service, model.Peer{Plaintext: true}),
		envoy.AccountName(account), envoy.ServicePortName(service.Key, 65535), envoy.InboundPortName(strings.Repeat("f", 32), 65535) + "/allow",
	} {
		if len(name) > maxName {
			t.Errorf("%s has %d bytes, and %d are taken", name, len(name), maxName)
		}
	}
}

func TestProxyThatRefusesInALoopFillsNoLog(t *testing.T) {
	s := New(Options{})
	a, b := pod("a", "v1"), pod("b", "v1")
	s.Apply(Update{Proxies: []model.Proxy{a, b}})
	lines := 0
	for range 1000 {
		if s.mayLogNACK(a.ID) {
			lines++
		}
	}
	if lines != nackBurst {
		t.Errorf("%d lines, want %d", lines, nackBurst)
	}
	if !s.mayLogNACK(b.ID) {
		t.Error("one proxy's loop silences another")
	}
	s.Apply(Update{GoneProxies: []model.ProxyID{a.ID, b.ID}})
	if s.mayLogNACK(a.ID) || len(s.nackLimits) != 0 {
		t.Error("a pod that is gone is remembered")
	}
}

// TestARefusalIsOneLineOfText: it is shown in the status of policies that are not
// the proxy's own, an administrators' among them.
func TestARefusalIsOneLineOfText(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, listeners, "inbound", "v1", "1"))
	c := h.connect(a)
	c.subscribe(listeners)
	c.nack(c.expect("Listener inbound"), "bad\n\x1b[2Jgood\u202e\u0085\x00 "+strings.Repeat("é", maxMessage))
	want := "bad  [2Jgood    " + strings.Repeat("é", (maxMessage-len("bad\n\x1b[2Jgood\u202e\u0085\x00 "))/2)
	h.eventually("the refusal is shown", func() bool { return len(h.state("v1").Nacks) == 1 })
	if got := h.state("v1").Nacks[0].Message; got != want {
		t.Errorf("shown is %q, want %q", got, want)
	}
}

func TestABurstIsOverOnce(t *testing.T) {
	s := New(Options{})
	// As its callers do; until it is calm, and then, only this test asks.
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range []struct {
		streams int
		want    bool
	}{{burst - 1, false}, {burst, true}, {0, false}} {
		for range c.streams {
			s.streamMoved()
		}
		if got := s.bursts.over(); got != c.want {
			t.Errorf("%d streams are a burst: %v, want %v", c.streams, got, c.want)
		}
	}
}

// longNames are n names, as long as they can be.
func longNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%0*d", maxName, i))
	}
	return names
}

func TestNamesThatNothingHasCostOnlyWhoSaysThem(t *testing.T) {
	h := newHarness(t)
	hostile, honest := pod("hostile", "v1"), pod("honest", "v2")
	h.start([]model.Proxy{hostile, honest}, encoded(t, clusters, "first", "", "1"))
	thief := h.connect(hostile)
	thief.subscribe(clusters, longNames(3*maxAbsent)...)
	if got := len(thief.next().GetRemovedResources()); got != 3*maxAbsent {
		t.Fatalf("told that %d names are missing, want %d", got, 3*maxAbsent)
	}
	if h.mu.Lock(); len(h.store.topics[clusters]) > 1+maxAbsent {
		t.Errorf("%d names are kept, want at most %d that nothing has", len(h.store.topics[clusters]), maxAbsent)
	}
	h.mu.Unlock()
	c := h.connect(honest)
	c.subscribe(clusters, wildcard)
	c.next()
	h.Apply(Update{Set: []envoy.Resource{encoded(t, clusters, "second", "", "1")}})
	if got := c.next().GetResources(); len(got) != 1 || got[0].GetName() != "second" {
		t.Fatalf("was sent %v, want second", got)
	}

	thief.Close()
	waitFor(t, "what the other asked for is forgotten", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.store.topics[clusters]) == 2
	})
}

func TestWhatAProxyHoldsThatNothingHasIsRemovedHoweverMuch(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "x", "", "1"))
	held := map[string]string{}
	for _, name := range longNames(3 * maxAbsent) {
		held[name] = "1"
	}
	c := h.connect(a)
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: clusters.typeURL(), ResourceNamesSubscribe: []string{wildcard}, InitialResourceVersions: held})
	for len(held) > 0 {
		r := c.next()
		for _, name := range r.GetRemovedResources() {
			delete(held, name)
		}
		c.ack(r)
	}
	waitFor(t, "what is not there is forgotten", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.store.topics[clusters]) == 1
	})
}

func TestANameThatIsAskedForBeforeItIsThereIsSentWhenItComes(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a})
	c := h.connect(a)
	c.subscribe(routes, "x")
	if got := c.next().GetRemovedResources(); len(got) != 1 || got[0] != "x" {
		t.Fatalf("told that %v is missing, want x", got)
	}
	for _, version := range []string{"1", "2"} {
		h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "x", "", version)}})
		if got := c.next().GetResources(); len(got) != 1 || got[0].GetName() != "x" {
			t.Fatalf("was sent %v, want x", got)
		}
	}
	h.Apply(Update{Remove: []envoy.Key{{TypeURL: routes.typeURL(), Name: "x"}}})
	if got := c.next().GetRemovedResources(); len(got) != 1 || got[0] != "x" {
		t.Fatalf("told that %v is gone, want x", got)
	}
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: routes.typeURL(), ResourceNamesUnsubscribe: []string{"x"}})
	waitFor(t, "nothing is held of it", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.store.topics[routes]) == 0
	})
}

func TestAskingForEverythingAgainAndAgainEndsTheStream(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "x", "", "1"))
	c := h.connect(a)
	for range maxWildcards + 1 {
		c.subscribe(clusters, wildcard)
	}
	expectCode(t, c.ending(), codes.ResourceExhausted)
}

func TestARefusalThatIsSaidAgainIsNotLookedAt(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "x", "v1", "1"))
	c := h.connect(a)
	c.subscribe(clusters, wildcard)
	r := c.next()
	for range 100 {
		c.nack(r, "no")
	}
	c.subscribe(routes, "y")
	c.next()
	if n := h.Counts()[a.ID][clusters.label()].Nacks; n != 1 {
		t.Errorf("%d refusals were looked at, want 1", n)
	}
}

func TestACertificateHasFewConnectionsAtATime(t *testing.T) {
	h := newHarness(t)
	a, b := pod("a", "v1"), pod("b", "v1")
	h.start([]model.Proxy{a, b})
	config := h.ca.clientConfig(h.ca.leaf(h, a.ID.String(), a.ServiceAccount, time.Hour))
	var open []*tls.Conn
	for range maxConnections {
		open = append(open, dialed(t, h.address, config))
		// With TLS 1.3 a client is done before the server counts it.
		if !isServed(t, open[len(open)-1]) {
			t.Fatalf("connection %d is refused", len(open))
		}
	}
	if isServed(t, dialed(t, h.address, config)) {
		t.Error("one connection more is served")
	}
	other := h.ca.clientConfig(h.ca.leaf(h, b.ID.String(), b.ServiceAccount, time.Hour))
	if !isServed(t, dialed(t, h.address, other)) {
		t.Error("another certificate is refused too")
	}
	open[0].Close()
	waitFor(t, "room for another", func() bool { return isServed(t, dialed(t, h.address, config)) })
}

func dialed(t *testing.T, address string, config *tls.Config) *tls.Conn {
	t.Helper()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	// The server ends connections that do not say soon that they are HTTP/2: its
	// preface, and SETTINGS that change nothing (RFC 9113, 3.4). Who is refused may be
	// closed already.
	_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	return c
}

// isServed says whether the server speaks, which with HTTP/2 it does first, or ends
// the connection.
func isServed(t *testing.T, c *tls.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the server neither speaks nor ends the connection")
	}
	return err == nil
}
