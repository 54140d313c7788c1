// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

func TestStreamSeesItsOwnViewAlone(t *testing.T) {
	h := newHarness(t)
	a, b := pod("a", "v1"), pod("b", "v2")
	in1, in2 := encoded(t, listeners, "inbound", "v1", "1"), encoded(t, listeners, "inbound", "v2", "2")
	h.start([]model.Proxy{a, b}, in1, in2,
		encoded(t, listeners, "outbound", "", "shared"),
		encoded(t, routes, "in/v1/80", "v1", "1"))
	one, two := h.connect(a), h.connect(b)
	one.subscribe(listeners)
	two.subscribe(listeners)
	first, second := one.expectAck("Listener inbound outbound"), two.expectAck("Listener inbound outbound")
	if first.Resources[0].Version != in1.Version || second.Resources[0].Version != in2.Version {
		t.Error("a stream was sent the inbound listener of another view")
	}
	two.subscribe(routes, "in/v1/80")
	two.expectAck("RouteConfiguration -in/v1/80")

	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "inbound", "v2", "3"), encoded(t, routes, "in/v1/80", "v1", "2")}})
	two.expectAck("Listener inbound")
	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "outbound", "", "shared 2")}})
	one.expectAck("Listener outbound")
	two.expectAck("Listener outbound")
}

func TestProxyThatChangesItsViewLosesTheOldOneLast(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a},
		encoded(t, listeners, "inbound", "v1", "1"), encoded(t, listeners, "inbound", "v2", "2"),
		encoded(t, listeners, "only-v1", "v1", "1"), encoded(t, listeners, "only-v2", "v2", "1"))
	c := h.connect(a)
	c.subscribe(listeners)
	c.expectAck("Listener inbound only-v1")
	h.Apply(Update{Proxies: []model.Proxy{pod("a", "v2")}})
	c.expectAck("Listener inbound only-v2")
	c.expectAck("Listener -only-v1")
	h.eventually("moved", func() bool { return h.state("v1").Connected == 0 && h.state("v2").Acked == 1 })

	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "inbound", "v1", "9")}})
	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "inbound", "v2", "9")}})
	if got := c.expect("Listener inbound"); got.Resources[0].Version != encoded(t, listeners, "inbound", "v2", "9").Version {
		t.Error("the old view was sent")
	}
}

// A namespace that hides itself takes its resources from "" to a view of those
// that see it, and may let others in later.
func TestStreamSeesTheViewsThatItSharesWithSome(t *testing.T) {
	h := newHarness(t)
	a, b := pod("a", "v1"), pod("b", "v1")
	cluster := func(view, content string) envoy.Resource {
		return encoded(t, clusters, "out/shop/web:80", view, content)
	}
	h.start([]model.Proxy{a, b}, cluster("", "1"), encoded(t, clusters, "marker", "", "1"))
	one, two := h.connect(a), h.connect(b)
	one.subscribe(clusters)
	two.subscribe(clusters)
	one.expectAck("Cluster marker out/shop/web:80")
	two.expectAck("Cluster marker out/shop/web:80")

	a.Views = []string{"v1", "namespace/shop", ""}
	h.Apply(Update{Set: []envoy.Resource{cluster("namespace/shop", "1")}, Remove: []envoy.Key{cluster("", "").Key}, Proxies: []model.Proxy{a}})
	two.expectAck("Cluster -out/shop/web:80")
	h.Apply(Update{Set: []envoy.Resource{cluster("namespace/shop", "2")}})
	one.expectAck("Cluster out/shop/web:80")

	b.Views = []string{"v1", "namespace/shop", ""}
	h.Apply(Update{Proxies: []model.Proxy{b}})
	two.expectAck("Cluster out/shop/web:80")
	a.Views = []string{"v1", ""}
	h.Apply(Update{Proxies: []model.Proxy{a}})
	one.expectAck("Cluster -out/shop/web:80")
	h.Apply(Update{Set: []envoy.Resource{cluster("namespace/shop", "3")}})
	two.expectAck("Cluster out/shop/web:80")
	h.Apply(Update{Set: []envoy.Resource{encoded(t, clusters, "marker", "", "2")}})
	one.expectAck("Cluster marker")
	two.expectAck("Cluster marker")
}

func TestUnitCountsConnectedAndAcked(t *testing.T) {
	h := newHarness(t)
	a, b := pod("a", "v1"), pod("b", "v1")
	inbound := encoded(t, listeners, "inbound", "v1", "1")
	h.start([]model.Proxy{a, b}, inbound, encoded(t, routes, "in/v1/80", "v1", "1"), encoded(t, clusters, "x", "", "1"))
	one, two := h.connect(a), h.connect(b)
	h.eventually("connected", func() bool { return cmp.Equal(h.state("v1"), State{Known: 2, Connected: 2}) })
	for _, c := range []*client{one, two} {
		c.subscribe(listeners)
		c.expectAck("Listener inbound")
	}
	one.subscribe(routes, "in/v1/80")
	two.subscribe(routes, "in/v1/80")
	one.expectAck("RouteConfiguration in/v1/80")
	pending := two.expect("RouteConfiguration in/v1/80")
	h.eventually("one has ACKed", func() bool { return cmp.Equal(h.state("v1"), State{Known: 2, Connected: 2, Acked: 1}) })
	two.ack(pending)
	h.eventually("both have ACKed", func() bool { return cmp.Equal(h.state("v1"), State{Known: 2, Connected: 2, Acked: 2}) })

	// Resources of other units are not counted against it.
	h.Apply(Update{Set: []envoy.Resource{encoded(t, clusters, "x", "", "2")}})
	if got := h.state("v1"); got.Acked != 2 {
		t.Errorf("after a change elsewhere: %+v", got)
	}
	// A change of it is seen as soon as it was applied.
	h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "in/v1/80", "v1", "2")}})
	if got := h.state("v1"); got.Acked != 0 {
		t.Errorf("right after a change: %+v", got)
	}
	one.Close()
	h.eventually("one has left", func() bool { return h.state("v1").Connected == 1 })
}

func TestNackIsKeptAndCleared(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, listeners, "inbound", "v1", "bad"))
	c := h.connect(a)
	c.subscribe(listeners)
	c.nack(c.expect("Listener inbound"), "no such filter")
	want := State{Known: 1, Connected: 1, Nacks: []Nack{{Proxy: a.ID, TypeURL: listeners.typeURL(), Name: "inbound", View: "v1", Message: "no such filter"}}}
	h.eventually("the NACK is shown", func() bool { return cmp.Equal(h.state("v1"), want) })

	// Another type's ACK changes nothing.
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	if diff := cmp.Diff(want, h.state("v1")); diff != "" {
		t.Errorf("after an ACK of another type: %s", diff)
	}
	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "inbound", "v1", "good")}})
	c.expectAck("Listener inbound")
	h.eventually("the NACK is cleared", func() bool { return cmp.Equal(h.state("v1"), State{Known: 1, Connected: 1, Acked: 1}) })
}

func TestNackOfSeveralIsNarrowedToTheBadOne(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a},
		encoded(t, listeners, "bad", "v1", "1"), encoded(t, listeners, "good", "v1", "1"))
	c := h.connect(a)
	c.subscribe(listeners)
	c.nack(c.expect("Listener bad good"), "one of them is bad")
	c.nack(c.expect("Listener bad"), "bad is bad")
	c.expectAck("Listener good")
	want := []Nack{{Proxy: a.ID, TypeURL: listeners.typeURL(), Name: "bad", View: "v1", Message: "bad is bad"}}
	h.eventually("the bad one alone is shown", func() bool { return cmp.Equal(h.state("v1").Nacks, want) })

	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "good", "v1", "2")}})
	c.expectAck("Listener good")
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	if diff := cmp.Diff(want, h.state("v1").Nacks); diff != "" {
		t.Errorf("an ACK of a good one cleared the bad one's NACK: %s", diff)
	}
}

// A proxy ACKs a listener when it has accepted it, and asks for the routes, filters
// and secrets that it names only then. It obeys when the whole chain is there.
func TestUnitIsAckedWithItsWholeChain(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, listeners, "inbound", "v1", "1"), encoded(t, routes, "in/v1/80", "v1", "1"),
		encoded(t, filters, "in/v1/80/allow", "v1", "1"), encoded(t, secrets, "in/v1/80", "v1", "1"))
	c := h.connect(a)
	acked := func() bool { return h.state("v1").Acked == 1 }
	c.subscribe(listeners)
	c.ack(c.next())
	for _, link := range []struct {
		kind kind
		name string
	}{{routes, "in/v1/80"}, {filters, "in/v1/80/allow"}, {secrets, "in/v1/80"}} {
		c.subscribe(link.kind, link.name)
		sent := c.next()
		if acked() {
			t.Errorf("it counts as ACKed before its %s is", link.kind.label())
		}
		c.ack(sent)
	}
	h.eventually("the whole chain is ACKed", acked)

	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "inbound", "v1", "2"), encoded(t, routes, "in/v1/81", "v1", "1")}})
	c.expectAck("Listener inbound")
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	if acked() {
		t.Error("it counts as ACKed with a listener whose new route it has not asked for")
	}
	c.subscribe(routes, "in/v1/81")
	c.expectAck("RouteConfiguration in/v1/81")
	h.eventually("the longer chain is ACKed", acked)
}

// A Service's listener and cluster go to every proxy, its endpoints to those that ask
// for them. So what is stuck holds up nothing else.
func TestAStuckResourceHoldsUpItsOwnUnitAlone(t *testing.T) {
	h := newHarness(t)
	books, pay, behind := unit.ID{Kind: "service", Name: "shop/books"}, unit.ID{Kind: "service", Name: "shop/pay"}, unit.ID{Kind: "endpoints", Name: "shop/pay"}
	a, b, c := pod("a", "v1"), pod("b", "v1"), pod("c", "v2")
	resources := []envoy.Resource{
		encoded(t, listeners, "books", "", "1"), encoded(t, routes, "books", "", "1"),
		encoded(t, listeners, "pay", "", "1"), encoded(t, endpoints, "pay", "", "1"),
	}
	h.Apply(Update{Set: resources, Proxies: []model.Proxy{a, b, c}, Units: map[unit.ID][]envoy.Key{
		books: {resources[0].Key, resources[1].Key}, pay: {resources[2].Key}, behind: {resources[3].Key},
	}})
	h.SetReady()
	one, two := h.connect(a), h.connect(b)
	for _, c := range []*client{one, two} {
		c.subscribe(listeners)
		c.expectAck("Listener books pay")
		c.subscribe(routes, "books")
		c.expectAck("RouteConfiguration books")
	}
	one.subscribe(endpoints, "pay")
	one.expectAck("ClusterLoadAssignment pay")
	state := func(id unit.ID) State {
		s := h.Units(id)
		s.Waiting = nil
		return s
	}
	all := State{Known: 3, Connected: 2, Acked: 2}
	h.eventually("all is ACKed", func() bool {
		return cmp.Equal(state(books), all) && cmp.Equal(state(pay), all) && cmp.Equal(state(behind), State{Known: 1, Connected: 1, Acked: 1})
	})

	h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "books", "", "2")}, Units: map[unit.ID][]envoy.Key{}})
	one.expectAck("RouteConfiguration books")
	two.expect("RouteConfiguration books") // and does not answer
	before := time.Now()
	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "pay", "", "2"), encoded(t, endpoints, "pay", "", "2")}, Units: map[unit.ID][]envoy.Key{}})
	for _, c := range []*client{one, two} {
		for range 2 {
			if r := c.next(); r.GetTypeUrl() == listeners.typeURL() {
				c.ack(r)
				break
			} else {
				c.ack(r)
			}
		}
	}
	h.eventually("the others are ACKed", func() bool {
		return cmp.Equal(state(pay), all) && cmp.Equal(state(behind), State{Known: 1, Connected: 1, Acked: 1})
	})
	got := h.Units(books)
	if diff := cmp.Diff(State{Known: 3, Connected: 2, Acked: 1}, State{Known: got.Known, Connected: got.Connected, Acked: got.Acked}); diff != "" {
		t.Errorf("the stuck one (-want +got):\n%s", diff)
	}
	if len(got.Waiting) != 1 || got.Waiting[0].Proxy != b.ID || got.Waiting[0].Since.After(before) {
		t.Errorf("waited for are %v, want %s since the change", got.Waiting, b.ID)
	}
}

func TestThoseThatAreWaitedForLongestAreNamed(t *testing.T) {
	var state State
	start := time.Now()
	for _, i := range []int{3, 1, 4, 0, 2} {
		wait(&state, Wait{Proxy: pod(strconv.Itoa(i), "v").ID, Since: start.Add(time.Duration(i) * time.Second)})
	}
	var got []string
	for _, w := range state.Waiting {
		got = append(got, w.Proxy.Pod)
	}
	if want := []string{"0", "1", "2"}; !slices.Equal(got, want) {
		t.Errorf("named are %v, want %v", got, want)
	}
}

// A resource of a more specific view takes the place of what its proxies have, and
// what was there comes back when it goes: neither is a removal.
func TestAMoreSpecificViewTakesAndGivesBack(t *testing.T) {
	h := newHarness(t)
	a, b := pod("a", "v1"), pod("b", "v2")
	a.Views = []string{"v1", "namespace/shop", ""}
	in := func(view, content string) []envoy.Resource {
		return []envoy.Resource{
			encoded(t, clusters, "x", view, content), encoded(t, endpoints, "x", view, content), encoded(t, routes, "r", view, content),
		}
	}
	h.start([]model.Proxy{a, b}, in("", "all's")...)
	one, two := h.connect(a), h.connect(b)
	for _, c := range []*client{one, two} {
		c.subscribe(clusters)
		c.expectAck("Cluster x")
		c.subscribe(endpoints, "x")
		c.expectAck("ClusterLoadAssignment x")
		c.subscribe(routes, "r")
		c.expectAck("RouteConfiguration r")
	}
	expect := func(c *client, view, content string) {
		t.Helper()
		for _, want := range in(view, content) {
			r := c.next()
			if len(r.GetResources()) != 1 || len(r.GetRemovedResources()) > 0 || string(r.GetResources()[0].GetResource().GetValue()) != string(want.Body.GetValue()) {
				t.Fatalf("was sent %v, want %s of %s", r, want.Name, content)
			}
			c.ack(r)
		}
	}
	specific := in("namespace/shop", "shop's")
	h.Apply(Update{Set: specific})
	expect(one, "namespace/shop", "shop's")
	h.Apply(Update{Set: in("v1", "own")})
	expect(one, "v1", "own")
	// What the proxy sees otherwise is not sent to it.
	h.Apply(Update{Set: in("namespace/shop", "shop's 2")})
	h.Apply(Update{Remove: []envoy.Key{specific[0].Key, specific[1].Key, specific[2].Key}})
	own := in("v1", "own")
	h.Apply(Update{Remove: []envoy.Key{own[0].Key, own[1].Key, own[2].Key}})
	for {
		r := one.next()
		one.ack(r)
		if len(r.GetRemovedResources()) > 0 {
			t.Fatalf("was sent a removal: %v", r)
		}
		if r.GetTypeUrl() == routes.typeURL() {
			break
		}
	}
	// The endpoints followed the clusters, and two saw nothing else.
	h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "r", "", "marker")}})
	for {
		r := two.next()
		two.ack(r)
		if r.GetTypeUrl() == routes.typeURL() {
			break
		}
		if r.GetTypeUrl() != endpoints.typeURL() {
			t.Fatalf("was sent %v", r)
		}
	}
	one.expectAck("RouteConfiguration r")
	h.eventually("both have ACKed what all have", func() bool { return h.state("").Acked == 2 })
}

// A Service that gets a variant for some of its callers: the endpoints that all share
// come anew to those whose cluster is another, or it would never warm up.
func TestEndpointsFollowTheClusterThatAProxySees(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "x", "", "1"), encoded(t, endpoints, "x", "", "1"))
	c := h.connect(a)
	c.subscribe(clusters)
	c.expectAck("Cluster x")
	c.subscribe(endpoints, "x")
	c.expectAck("ClusterLoadAssignment x")
	own := encoded(t, clusters, "x", "v1", "2")
	h.Apply(Update{Set: []envoy.Resource{own}})
	c.expectAck("Cluster x")
	c.expectAck("ClusterLoadAssignment x")
	h.Apply(Update{Remove: []envoy.Key{own.Key}})
	c.expectAck("Cluster x")
	c.expectAck("ClusterLoadAssignment x")
}
