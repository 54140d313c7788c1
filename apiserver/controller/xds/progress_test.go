// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func TestProgressIsDoneWhenEveryConnectedProxyHasAckedTheCurrentVersion(t *testing.T) {
	h := newHarness(t)
	a, b := pod("a", "v1"), pod("b", "v2")
	h.start([]model.Proxy{a, b}, encoded(t, secrets, "roots", "", "old"))
	progress := func(containing string) Progress {
		return h.Progress(Awaited{TypeURL: secrets.typeURL(), Name: "roots", Containing: []byte(containing)})
	}
	if !progress("old").Done() {
		t.Error("nobody is connected, and somebody is waited for")
	}
	clientA, clientB := h.connect(a), h.connect(b)
	clientA.subscribe(secrets, "roots")
	clientA.expectAck("Secret roots")
	clientB.subscribe(secrets, "roots")
	first := clientB.expect("Secret roots")
	waitFor(t, "one of two", func() bool { return progress("old") == Progress{Connected: 2, Acked: 1} })
	clientB.ack(first)
	waitFor(t, "both", func() bool { return progress("old").Done() })
	if got := progress("new"); got.Acked != 0 {
		t.Errorf("%d have ACKed what is not out yet", got.Acked)
	}

	h.Apply(Update{Set: []envoy.Resource{encoded(t, secrets, "roots", "", "new")}})
	if got := progress("new"); got.Acked != 0 {
		t.Errorf("%d have ACKed what was just sent", got.Acked)
	}
	clientA.expectAck("Secret roots")
	clientB.nack(clientB.expect("Secret roots"), "no such root")
	waitFor(t, "one has, one refused", func() bool { return progress("new") == Progress{Connected: 2, Acked: 1} })
	h.Apply(Update{GoneProxies: []model.ProxyID{b.ID}})
	waitFor(t, "who is gone is not waited for", func() bool { return progress("new") == Progress{Connected: 1, Acked: 1} })
}

func TestProgressWaitsForWhoHasNotSaidWhatItWants(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, secrets, "roots", "", "1"))
	awaited := Awaited{TypeURL: secrets.typeURL()}
	c := h.connect(a)
	c.subscribe(clusters)
	c.expectAck("Cluster")
	if got := h.Progress(awaited); got.Done() {
		t.Errorf("a proxy that has asked for no listeners yet is done: %+v", got)
	}
	c.subscribe(listeners)
	c.expectAck("Listener")
	waitFor(t, "who wants nothing of it is done", func() bool { return h.Progress(awaited).Done() })
}

func TestServiceIsReadyWhenItsWholeChainIsAcked(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	chain := []envoy.Resource{
		encoded(t, clusters, "s", "", "1"), encoded(t, endpoints, "s", "", "1"),
		encoded(t, listeners, "out/10.0.0.1:80", "", "1"), encoded(t, routes, "s", "", "1"),
	}
	var keys []envoy.Key
	for _, r := range chain {
		keys = append(keys, r.Key)
	}
	h.start([]model.Proxy{a}, chain...)
	c := h.connect(a)
	ready := func() bool { return h.ChainProgress(keys) == Progress{Connected: 1, Acked: 1} }
	for i, k := range []kind{clusters, endpoints, listeners, routes} {
		if k.takesWildcard() {
			c.subscribe(k)
		} else {
			c.subscribe(k, "s")
		}
		last := c.next()
		if ready() {
			t.Fatalf("ready with %d of 4 ACKed", i)
		}
		c.ack(last)
	}
	waitFor(t, "ready", ready)
	h.Apply(Update{Set: []envoy.Resource{encoded(t, endpoints, "s", "", "2")}})
	if ready() {
		t.Error("ready with endpoints that were just sent")
	}
	c.ack(c.expect("ClusterLoadAssignment s"))
	waitFor(t, "ready again", ready)
}
