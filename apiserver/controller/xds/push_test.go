// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func TestResourceIsEncodedOnceForAllStreams(t *testing.T) {
	s := newStore()
	source := encoded(t, clusters, "x", "", "1")
	if _, err := s.apply([]envoy.Resource{source}, nil); err != nil {
		t.Fatal(err)
	}
	frame := s.topics[clusters]["x"].shared.frame
	codec := newSharingCodec()
	var sent [2]mem.BufferSlice
	for i := range sent {
		var err error
		if sent[i], err = codec.Marshal(&response{kind: clusters, nonce: nonce(i + 1), frames: mem.BufferSlice{frame}, removed: []string{"y"}}); err != nil {
			t.Fatal(err)
		}
	}
	if &sent[0][1].ReadOnlyData()[0] != &sent[1][1].ReadOnlyData()[0] {
		t.Error("two streams were given copies")
	}
	var got discovery.DeltaDiscoveryResponse
	if err := proto.Unmarshal(sent[1].Materialize(), &got); err != nil {
		t.Fatal(err)
	}
	want := &discovery.DeltaDiscoveryResponse{
		TypeUrl: clusters.typeURL(), Nonce: "2", RemovedResources: []string{"y"},
		Resources: []*discovery.Resource{{Name: "x", Version: source.Version, Resource: source.Body}},
	}
	if !proto.Equal(&got, want) {
		t.Errorf("sent %v, want %v", &got, want)
	}
}

func TestChangeReachesOnlyItsSubscribers(t *testing.T) {
	h := newHarness(t)
	a, b, c := pod("a", "v1"), pod("b", "v1"), pod("c", "v2")
	h.start([]model.Proxy{a, b, c}, encoded(t, endpoints, "x", "", "1"), encoded(t, endpoints, "y", "", "1"))
	wantsX, wantsBoth, wantsY := h.connect(a), h.connect(b), h.connect(c)
	wantsX.subscribe(endpoints, "x")
	wantsX.expectAck("ClusterLoadAssignment x")
	wantsBoth.subscribe(endpoints, "x", "y")
	wantsBoth.expectAck("ClusterLoadAssignment x y")
	wantsY.subscribe(endpoints, "y")
	wantsY.expectAck("ClusterLoadAssignment y")

	for i := range 5 {
		h.Apply(Update{Set: []envoy.Resource{encoded(t, endpoints, "x", "", fmt.Sprint("change ", i))}})
		wantsX.expectAck("ClusterLoadAssignment x")
		wantsBoth.expectAck("ClusterLoadAssignment x")
	}
	// The same contents again are no change at all.
	h.Apply(Update{Set: []envoy.Resource{encoded(t, endpoints, "x", "", "change 4")}})
	h.Apply(Update{Set: []envoy.Resource{encoded(t, endpoints, "y", "", "2")}})
	wantsY.expectAck("ClusterLoadAssignment y")
	wantsBoth.expectAck("ClusterLoadAssignment y")
}

func TestOneUpdateIsSentMakeBeforeBreak(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	var before, after []envoy.Resource
	var gone []envoy.Key
	for k := range kinds {
		before = append(before, encoded(t, k, "stays", "", "1"), encoded(t, k, "goes", "", "1"))
		after = append(after, encoded(t, k, "stays", "", "2"))
		gone = append(gone, envoy.Key{TypeURL: k.typeURL(), Name: "goes"})
	}
	h.start([]model.Proxy{a}, before...)
	c := h.connect(a)
	for k := range kinds {
		c.subscribe(k, "stays", "goes")
		c.expectAck(k.label() + " goes stays")
	}
	h.Apply(Update{Set: after, Remove: gone})
	for _, want := range []string{
		"Cluster stays", "ClusterLoadAssignment stays", "Secret stays",
		"TypedExtensionConfig stays", "Listener stays", "RouteConfiguration stays",
		"Listener -goes", "RouteConfiguration -goes", "TypedExtensionConfig -goes",
		"Secret -goes", "ClusterLoadAssignment -goes", "Cluster -goes",
	} {
		c.expect(want)
	}
}

func TestRoutesWaitUntilNewClustersAreWarm(t *testing.T) {
	h := newHarness(t)
	h.warmUp = time.Hour
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "old", "", "1"), encoded(t, routes, "r", "", "to old"))
	c := h.connect(a)
	c.subscribe(clusters)
	c.expectAck("Cluster old")
	c.subscribe(routes, "r")
	c.expectAck("RouteConfiguration r")

	h.Apply(Update{
		Set:    []envoy.Resource{encoded(t, clusters, "new", "", "1"), encoded(t, endpoints, "new", "", "1"), encoded(t, routes, "r", "", "to new")},
		Remove: []envoy.Key{{TypeURL: clusters.typeURL(), Name: "old"}},
	})
	news := c.expect("Cluster new")
	c.subscribe(endpoints, "new")
	c.expectAck("ClusterLoadAssignment new")
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	c.ack(news) // as Envoy does once the cluster is warm
	c.expectAck("RouteConfiguration r")
	c.expect("Cluster -old")
}

// A Service is there for a caller when its whole chain is: the server sends the
// listener when the cluster has been ACKed, which Envoy does when endpoints and
// secrets are there, and Envoy takes connections to it when its routes are.
func TestListenerOfANewServiceWaitsForItsCluster(t *testing.T) {
	h := newHarness(t)
	h.warmUp = time.Hour
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, listeners, "outbound", "", "1"))
	c := h.connect(a)
	c.subscribe(clusters)
	c.expectAck("Cluster")
	c.subscribe(listeners)
	c.expectAck("Listener outbound")

	h.Apply(Update{Set: []envoy.Resource{
		encoded(t, listeners, "out/198.19.0.1:80", "", "1"), encoded(t, routes, "out/shop/web:80", "", "1"),
		encoded(t, clusters, "out/shop/web:80", "", "1"), encoded(t, endpoints, "out/shop/web:80", "", "1"),
	}})
	cluster := c.expect("Cluster out/shop/web:80")
	c.subscribe(endpoints, "out/shop/web:80")
	c.expectAck("ClusterLoadAssignment out/shop/web:80")
	c.subscribe(secrets, "marker")
	c.expectAck("Secret -marker")
	c.ack(cluster)
	c.expectAck("Listener out/198.19.0.1:80")
	c.subscribe(routes, "out/shop/web:80")
	c.expectAck("RouteConfiguration out/shop/web:80")
}

func TestClusterThatNeverWarmsHoldsRoutesForABoundedTime(t *testing.T) {
	h := newHarness(t)
	h.warmUp = 10 * time.Millisecond
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "never-acked", "", "1"), encoded(t, routes, "r", "", "1"))
	c := h.connect(a)
	c.subscribe(clusters)
	c.expect("Cluster never-acked")
	c.subscribe(routes, "r")
	c.expect("RouteConfiguration r")
}

func TestChangedClusterBringsItsEndpointsAnew(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	x := encoded(t, endpoints, "x", "", "1")
	h.start([]model.Proxy{a}, encoded(t, clusters, "x", "", "1"), x)
	c := h.connect(a)
	c.subscribe(clusters)
	c.expectAck("Cluster x")
	c.subscribe(endpoints, "x")
	first := c.expectAck("ClusterLoadAssignment x")
	h.Apply(Update{Set: []envoy.Resource{encoded(t, clusters, "x", "", "2"), x}})
	c.expectAck("Cluster x")
	second := c.expectAck("ClusterLoadAssignment x")
	if first.Resources[0].Version == second.Resources[0].Version {
		t.Error("a proxy that reconnects now would not be sent the endpoints that its warming cluster waits for")
	}
}

func TestLatestVersionWinsUnderASlowReader(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, endpoints, "x", "", "0"))
	c := h.open(a.ID.String(), h.leafOf(a))
	c.subscribe(endpoints, "x")
	if _, err := c.Receive(); err != nil {
		t.Fatal(err)
	}
	const changes = 500
	var last envoy.Resource
	for i := range changes {
		last = encoded(t, endpoints, "x", "", fmt.Sprint(i)+strings.Repeat("x", 64<<10))
		h.Apply(Update{Set: []envoy.Resource{last}})
	}
	received := 0
	for {
		r, err := c.Receive()
		if err != nil {
			t.Fatal(err)
		}
		received++
		if r.Resources[0].Version == last.Version {
			break
		}
	}
	if received > changes/5 {
		t.Errorf("a reader that stood still was sent %d of %d versions", received, changes)
	}
}
