// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func TestWildcardGivesAllThatIsVisible(t *testing.T) {
	for name, ask := range map[string][]string{"by an empty first request": nil, "by a star": {"*"}} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			a := pod("a", "v1")
			h.start([]model.Proxy{a}, encoded(t, clusters, "x", "", "1"), encoded(t, clusters, "y", "", "1"))
			c := h.connect(a)
			c.subscribe(clusters, ask...)
			c.expectAck("Cluster x y")
			h.Apply(Update{Set: []envoy.Resource{encoded(t, clusters, "z", "", "1")}})
			c.expect("Cluster z")
		})
	}
}

func TestWildcardOverNothingIsAnsweredEmpty(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a})
	c := h.connect(a)
	c.subscribe(listeners)
	c.expect("Listener")
}

func TestStarIsANameLikeOthersForTypesWithoutWildcard(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, routes, "x", "", "1"))
	c := h.connect(a)
	c.subscribe(routes)
	c.subscribe(routes, "*", "x")
	c.expect("RouteConfiguration x")
}

func TestMissingNameIsAnsweredByRemovedResourcesAndSentWhenItComes(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, routes, "there", "", "1"))
	c := h.connect(a)
	c.subscribe(routes, "there", "not-yet")
	c.expectAck("RouteConfiguration there -not-yet")
	h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "not-yet", "", "1")}})
	c.expect("RouteConfiguration not-yet")
}

func TestNameAskedForAgainIsSentAgain(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, routes, "x", "", "1"))
	c := h.connect(a)
	c.subscribe(routes, "x")
	c.expectAck("RouteConfiguration x")
	c.subscribe(routes, "x")
	c.expect("RouteConfiguration x")
}

func TestUnsubscribedNameIsNotSent(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, routes, "x", "", "1"), encoded(t, routes, "y", "", "1"))
	c := h.connect(a)
	c.subscribe(routes, "x", "y")
	c.expectAck("RouteConfiguration x y")
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: routes.typeURL(), ResourceNamesUnsubscribe: []string{"x", "never-asked-for"}})
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	h.Apply(Update{Set: []envoy.Resource{encoded(t, routes, "x", "", "2"), encoded(t, routes, "y", "", "2")}})
	c.expect("RouteConfiguration y")
}

func TestNameLeftUnderAWildcardIsToldAnew(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "x", "", "1"))
	c := h.connect(a)
	c.subscribe(clusters, "*", "x", "nowhere")
	c.expectAck("Cluster x -nowhere")
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: clusters.typeURL(), ResourceNamesUnsubscribe: []string{"x", "nowhere"}})
	c.expect("Cluster x")
	c.expect("Cluster -nowhere")
}

func TestWithoutItsWildcardAStreamKeepsItsNames(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "x", "", "1"), encoded(t, clusters, "y", "", "1"))
	c := h.connect(a)
	c.subscribe(clusters, "*", "x")
	c.expectAck("Cluster x y")
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: clusters.typeURL(), ResourceNamesUnsubscribe: []string{"*"}})
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	h.Apply(Update{Set: []envoy.Resource{encoded(t, clusters, "x", "", "2"), encoded(t, clusters, "y", "", "2")}})
	c.expect("Cluster x")
}

func TestReconnectSendsOnlyWhatDiffers(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	same, old, new := encoded(t, clusters, "same", "", "1"), encoded(t, clusters, "changed", "", "1"), encoded(t, clusters, "changed", "", "2")
	route := encoded(t, routes, "r", "", "1")
	h.start([]model.Proxy{a}, same, new, route)

	c := h.connect(a)
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: clusters.typeURL(), ResourceNamesSubscribe: []string{"*"},
		InitialResourceVersions: map[string]string{"same": same.Version, "changed": old.Version, "gone": "1"},
	})
	c.expectAck("Cluster changed")
	c.expectAck("Cluster -gone")
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: routes.typeURL(), ResourceNamesSubscribe: []string{"r"},
		InitialResourceVersions: map[string]string{"r": route.Version},
	})
	c.subscribe(secrets, "marker")
	c.expect("Secret -marker")
}

func TestReconnectWithEverythingCurrentIsAckedWithoutASend(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	inbound := encoded(t, listeners, "inbound", "v1", "1")
	h.start([]model.Proxy{a}, inbound)
	c := h.connect(a)
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: listeners.typeURL(), InitialResourceVersions: map[string]string{"inbound": inbound.Version},
	})
	h.eventually("acked", func() bool { return h.state("v1").Acked == 1 })
	c.subscribe(secrets, "marker")
	c.expect("Secret -marker")
}

func TestTopicsAndViewsThatNobodyNeedsAreForgotten(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	inbound := encoded(t, listeners, "inbound", "v1", "1")
	h.start([]model.Proxy{a}, inbound)
	c := h.connect(a)
	c.subscribe(routes, "nowhere")
	c.expect("RouteConfiguration -nowhere")
	c.subscribe(listeners)
	c.expectAck("Listener inbound")
	h.Apply(Update{Remove: []envoy.Key{inbound.Key}})
	c.expectAck("Listener -inbound")
	c.Close()
	waitFor(t, "nothing held", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		n := len(h.streams)
		for k := range kinds {
			n += len(h.store.topics[k])
		}
		_, view := h.store.views["v1"]
		return n == 0 && !view
	})
}
