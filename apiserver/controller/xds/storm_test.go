// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestReconnectStormIsSentNothing ends a server and starts one that has made the
// same resources anew: 1,000 proxies come back at once with what they have, and
// the counters of their streams say that nothing is sent again.
func TestReconnectStormIsSentNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("1,000 connections")
	}
	const proxies, services = 1000, 50
	h := newHarness(t)
	var pods []model.Proxy
	for i := range proxies {
		pods = append(pods, pod(fmt.Sprint(i), fmt.Sprint("view-", i%10)))
	}
	resources := func() []envoy.Resource {
		var out []envoy.Resource
		for i := range services {
			out = append(out, encoded(t, clusters, fmt.Sprint("service-", i), "", "1"))
		}
		for i := range 10 {
			out = append(out, encoded(t, listeners, "inbound", fmt.Sprint("view-", i), fmt.Sprint(i)))
		}
		return out
	}
	h.start(pods, resources()...)
	h.connectAll(pods, nil, func(_ int, c *client) {
		c.subscribe(clusters)
		c.subscribe(listeners)
	})
	waitFor(t, "all have everything", func() bool { return h.allSettled(pods) })
	h.stopServer()

	start := time.Now()
	h.serve()
	h.start(pods, resources()...)
	for i, p := range pods {
		c := h.open(p.ID.String(), h.leafOf(p))
		for k, have := range held(resources(), fmt.Sprint("view-", i%10)) {
			if err := c.Resume(k.typeURL(), have, wildcard); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, "all are back", func() bool { return h.allSettled(pods) })
	t.Logf("%d proxies back after %s", proxies, time.Since(start))
	counts := h.Counts()
	for _, p := range pods {
		for kind, got := range counts[p.ID] {
			if got != (Counts{}) {
				t.Fatalf("%s was sent %+v of %s", p.ID, got, kind)
			}
		}
	}
}

// allSettled tells whether all proxies have answered all that they asked for.
func (h *harness) allSettled(pods []model.Proxy) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range pods {
		st := h.streams[p.ID]
		if st == nil || !st.isSettled(clusters) || !st.isSettled(listeners) {
			return false
		}
	}
	return true
}

// held are the versions that a proxy of a view has, by kind.
func held(resources []envoy.Resource, view string) map[kind]map[string]string {
	out := map[kind]map[string]string{}
	for _, r := range resources {
		if r.View != "" && r.View != view {
			continue
		}
		k, _ := kindOf(r.TypeURL)
		if out[k] == nil {
			out[k] = map[string]string{}
		}
		out[k][r.Name] = r.Version
	}
	return out
}

func TestCountsOfAStream(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	one, two := encoded(t, routes, "one", "", "1"), encoded(t, routes, "two", "", "1")
	h.start([]model.Proxy{a}, one, two)
	c := h.connect(a)
	c.subscribe(routes, "one", "two", "none")
	c.expectAck("RouteConfiguration one two -none")
	h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "one", "", "2")}})
	c.nack(c.expect("RouteConfiguration one"), "no")
	want := Counts{Responses: 2, Resources: 3, Removed: 1, Acks: 1, Nacks: 1}
	waitFor(t, "all is counted", func() bool {
		got := h.Counts()[a.ID][routes.label()]
		bytes := got.Bytes
		got.Bytes = 0
		return got == want && bytes > 0
	})
	if got := len(h.Counts()); got != 1 {
		t.Errorf("%d proxies have counts, want the connected one", got)
	}
}

// TestProxyThatDoesNotReadIsEnded fills the transport's buffers: the server keeps
// one response and a slot of names, and ends the stream after a while.
func TestProxyThatDoesNotReadIsEnded(t *testing.T) {
	h := newHarness(t)
	h.unread = time.Second
	a := pod("a", "v1")
	var large []envoy.Resource
	for i := range 64 {
		large = append(large, encoded(t, routes, fmt.Sprint(i), "", string(make([]byte, 64<<10))))
	}
	h.start([]model.Proxy{a}, large...)
	c := h.open(a.ID.String(), h.leafOf(a))
	var names []string
	for _, r := range large {
		names = append(names, r.Name)
	}
	c.subscribe(routes, names...)
	waitFor(t, "the first response", func() bool { return h.Counts()[a.ID][routes.label()].Responses == 1 })
	// gRPC takes the first and lets the second wait until it has been read.
	h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "0", "", "2")}})
	waitFor(t, "the stream's end", func() bool { return len(h.Counts()) == 0 })
}
