// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"maps"
	"slices"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
)

func TestNumbersComeInOrderAndMayGoMeanwhile(t *testing.T) {
	var s numbers
	for _, id := range []uint32{200, 3, 63, 64, 3} {
		s.add(id)
	}
	if got, want := slices.Collect(s.all()), []uint32{3, 63, 64, 200}; !slices.Equal(got, want) || s.n != len(want) {
		t.Fatalf("holds %v (%d), want %v", got, s.n, want)
	}
	for id := range s.all() {
		if id != 64 {
			s.remove(id)
		}
	}
	s.remove(5000)
	if got := slices.Collect(s.all()); !slices.Equal(got, []uint32{64}) || s.n != 1 || !s.has(64) || s.has(63) || s.has(5000) {
		t.Errorf("holds %v (%d) after removals, want 64", got, s.n)
	}
	s.clear()
	if s.n != 0 || s.has(64) {
		t.Error("not empty after clear")
	}
}

func TestNumbersOfWhatHasGoneAreGivenAgain(t *testing.T) {
	var x numbering[string]
	for i, item := range []string{"a", "b", "c"} {
		if id := x.add(item); id != uint32(i) {
			t.Fatalf("%s has number %d, want %d", item, id, i)
		}
	}
	x.remove(1)
	if x.items[1] != "" {
		t.Error("what has gone is kept")
	}
	if id := x.add("d"); id != 1 {
		t.Errorf("the next has number %d, want 1", id)
	}
}

// TestANumberThatIsGivenAgainBringsNothing has names and streams go, and others
// come that get their numbers.
func TestANumberThatIsGivenAgainBringsNothing(t *testing.T) {
	s := New(Options{})
	s.Apply(Update{Proxies: []model.Proxy{pod("a", "v"), pod("b", "v")}})
	s.SetReady()
	sent := func(st *stream) (out []string) {
		responses, _, _ := s.collect(st)
		for _, r := range responses {
			encoded, err := newSharingCodec().Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var response discovery.DeltaDiscoveryResponse
			if err := proto.Unmarshal(encoded.Materialize(), &response); err != nil {
				t.Fatal(err)
			}
			out = append(out, xdstest.Describe(&response))
		}
		return out
	}
	connect := func(name, wants string) *stream {
		p := pod(name, "v")
		st := newStream(s, Peer{ID: p.ID, ServiceAccount: p.ServiceAccount}, s.log)
		if err := s.connect(st); err != nil {
			t.Fatal(err)
		}
		if err := s.handle(st, &discovery.DeltaDiscoveryRequest{TypeUrl: endpoints.typeURL(), ResourceNamesSubscribe: []string{wants}}); err != nil {
			t.Fatal(err)
		}
		sent(st)
		return st
	}

	a := connect("a", "x")
	if err := s.handle(a, &discovery.DeltaDiscoveryRequest{TypeUrl: listeners.typeURL()}); err != nil {
		t.Fatal(err)
	}
	sent(a)
	short := encoded(t, listeners, "short", "", "1")
	s.Apply(Update{Set: []envoy.Resource{short}})
	s.Apply(Update{Remove: []envoy.Key{short.Key}})
	if got := sent(a); got != nil {
		t.Errorf("was sent %q of a name that went before", got)
	}
	if !a.isSettled(listeners) {
		t.Error("waits for a name that went")
	}
	s.Apply(Update{Set: []envoy.Resource{encoded(t, listeners, "next", "", "1")}})
	if got := sent(a); !slices.Equal(got, []string{"Listener next"}) {
		t.Errorf("was sent %q, want the next listener", got)
	}

	s.disconnect(a)
	b := connect("b", "y")
	if b.id != a.id {
		t.Fatalf("b has number %d, want that of a, %d", b.id, a.id)
	}
	s.Apply(Update{Set: []envoy.Resource{encoded(t, endpoints, "x", "", "1")}})
	if got := sent(b); got != nil {
		t.Errorf("b was sent %q, which a wanted", got)
	}
	s.Apply(Update{Set: []envoy.Resource{encoded(t, endpoints, "y", "", "1")}})
	if got := sent(b); !slices.Equal(got, []string{"ClusterLoadAssignment y"}) {
		t.Errorf("b was sent %q, want y", got)
	}
}

func TestNamesThatOthersAskForCostAProxyNothing(t *testing.T) {
	var x index
	h := holdings{index: &x}
	var topics []*topic
	for range 100 * pageSize {
		topics = append(topics, &topic{})
		x.add(topics[len(topics)-1])
	}
	first, last := topics[0], topics[len(topics)-1]
	h.set(first, knowledge{serial: firstSerial})
	h.set(last, knowledge{serial: firstSerial})
	h.set(last, knowledge{serial: stale})
	pages := 0
	for _, page := range h.pages {
		if page != nil {
			pages++
		}
	}
	if pages != 2 || h.n != 2 {
		t.Errorf("two topics take %d pages, and are counted as %d", pages, h.n)
	}
	got := map[*topic]serial{}
	for t, k := range h.all() {
		got[t] = k.serial
	}
	if want := (map[*topic]serial{first: firstSerial, last: stale}); !maps.Equal(got, want) {
		t.Errorf("%d topics are held, want the first and the last", len(got))
	}
	h.remove(last)
	if _, ok := h.get(last); ok || h.n != 1 {
		t.Error("what was removed is held")
	}
}
