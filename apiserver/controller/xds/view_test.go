// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
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
	h.eventually("moved", func() bool { return h.View("v1").Connected == 0 && h.View("v2").Acked == 1 })

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

	a.Sees = []string{"namespace/shop"}
	h.Apply(Update{Set: []envoy.Resource{cluster("namespace/shop", "1")}, Remove: []envoy.Key{cluster("", "").Key}, Proxies: []model.Proxy{a}})
	two.expectAck("Cluster -out/shop/web:80")
	h.Apply(Update{Set: []envoy.Resource{cluster("namespace/shop", "2")}})
	one.expectAck("Cluster out/shop/web:80")

	b.Sees = []string{"namespace/shop"}
	h.Apply(Update{Proxies: []model.Proxy{b}})
	two.expectAck("Cluster out/shop/web:80")
	a.Sees = nil
	h.Apply(Update{Proxies: []model.Proxy{a}})
	one.expectAck("Cluster -out/shop/web:80")
	h.Apply(Update{Set: []envoy.Resource{cluster("namespace/shop", "3")}})
	two.expectAck("Cluster out/shop/web:80")
	h.Apply(Update{Set: []envoy.Resource{encoded(t, clusters, "marker", "", "2")}})
	one.expectAck("Cluster marker")
	two.expectAck("Cluster marker")
}

func TestViewCountsConnectedAndAcked(t *testing.T) {
	h := newHarness(t)
	a, b := pod("a", "v1"), pod("b", "v1")
	h.start([]model.Proxy{a, b}, encoded(t, routes, "in/v1/80", "v1", "1"), encoded(t, clusters, "x", "", "1"))
	one, two := h.connect(a), h.connect(b)
	h.eventually("connected", func() bool { return cmp.Equal(h.View("v1"), ViewState{Known: 2, Connected: 2}) })
	one.subscribe(routes, "in/v1/80")
	two.subscribe(routes, "in/v1/80")
	one.expectAck("RouteConfiguration in/v1/80")
	pending := two.expect("RouteConfiguration in/v1/80")
	h.eventually("one has ACKed", func() bool { return cmp.Equal(h.View("v1"), ViewState{Known: 2, Connected: 2, Acked: 1}) })
	two.ack(pending)
	h.eventually("both have ACKed", func() bool { return cmp.Equal(h.View("v1"), ViewState{Known: 2, Connected: 2, Acked: 2}) })

	// Resources of others are not counted against a view.
	h.Apply(Update{Set: []envoy.Resource{encoded(t, clusters, "x", "", "2")}})
	if got := h.View("v1"); got.Acked != 2 {
		t.Errorf("after a change elsewhere: %+v", got)
	}
	// A change of the view is seen as soon as it was applied.
	h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "in/v1/80", "v1", "2")}})
	if got := h.View("v1"); got.Acked != 0 {
		t.Errorf("right after a change: %+v", got)
	}
	one.close()
	h.eventually("one has left", func() bool { return h.View("v1").Connected == 1 })
}

func TestNackIsKeptAndCleared(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, listeners, "inbound", "v1", "bad"))
	c := h.connect(a)
	c.subscribe(listeners)
	c.nack(c.expect("Listener inbound"), "no such filter")
	want := ViewState{Known: 1, Connected: 1, Nacks: []Nack{{Proxy: a.ID, TypeURL: listeners.typeURL(), Name: "inbound", View: "v1", Message: "no such filter"}}}
	h.eventually("the NACK is shown", func() bool { return cmp.Equal(h.View("v1"), want) })

	// Another type's ACK changes nothing.
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	if diff := cmp.Diff(want, h.View("v1")); diff != "" {
		t.Errorf("after an ACK of another type: %s", diff)
	}
	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "inbound", "v1", "good")}})
	c.expectAck("Listener inbound")
	h.eventually("the NACK is cleared", func() bool { return cmp.Equal(h.View("v1"), ViewState{Known: 1, Connected: 1, Acked: 1}) })
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
	h.eventually("the bad one alone is shown", func() bool { return cmp.Equal(h.View("v1").Nacks, want) })

	h.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "good", "v1", "2")}})
	c.expectAck("Listener good")
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	if diff := cmp.Diff(want, h.View("v1").Nacks); diff != "" {
		t.Errorf("an ACK of a good one cleared the bad one's NACK: %s", diff)
	}
}

// A proxy ACKs a listener when it has accepted it, and asks for the routes, filters
// and secrets that it names only then. It obeys when the whole chain is there.
func TestViewIsAckedWithItsWholeChain(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, listeners, "inbound", "v1", "1"), encoded(t, routes, "in/v1/80", "v1", "1"),
		encoded(t, filters, "in/v1/80/allow", "v1", "1"), encoded(t, secrets, "in/v1/80", "v1", "1"))
	c := h.connect(a)
	acked := func() bool { return h.View("v1").Acked == 1 }
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
