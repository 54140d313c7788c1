//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"fmt"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoyTakesTheGoodBesideTheBad sends a real Envoy one deliberately bad
// resource together with a good one: the good one is live, the bad one is shown
// with Envoy's message, and the next good edit recovers.
func TestEnvoyTakesTheGoodBesideTheBad(t *testing.T) {
	t.Parallel()
	// spare is a listener by another name at a port of its own.
	spare := func(port uint32) envoy.Resource { return renamed(t, httpListener(t, port), "spare") }
	for name, bad := range map[string]func(used uint32) (resource envoy.Resource, words string){
		"a filter that Envoy does not know": func(uint32) (envoy.Resource, string) {
			return renamed(t, unknownFilterListener(t), "spare"), "no.such.Filter"
		},
		"an address that another listener has": func(used uint32) (envoy.Resource, string) {
			return spare(used), "duplicate address"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			told := make(chan Nack, 100)
			h.options.Refused = func(n Nack) { told <- n }
			a := pod("a", "v1")
			one := backend(t, "one")
			port, free := freePort(t), freePort(t)
			refused, words := bad(port)
			// "inbound" comes before "spare" in the one response that has both.
			h.start([]model.Proxy{a}, httpListener(t, port), refused, accessFilter(t, true),
				edsCluster(t, "one", 1), assignment(t, "one", one), routeTo(t, "one"))
			h.startEnvoy(a)

			url := fmt.Sprintf("http://127.0.0.1:%d/", port)
			waitFor(t, "the good one is live", func() bool { return get(url) == "200 one" })
			h.eventually("the bad one alone is shown, with Envoy's message", func() bool {
				nacks := h.state("v1").Nacks
				return len(nacks) == 1 && nacks[0].Name == "spare" && strings.Contains(nacks[0].Message, words)
			})
			t.Log(h.state("v1").Nacks[0].Message)
			if n := <-told; n.Name != "spare" || n.View != "v1" || n.Proxy != a.ID || !strings.Contains(n.Message, words) {
				t.Errorf("others were told %+v", n)
			}

			h.Apply(Update{Set: []envoy.Resource{spare(free)}})
			h.eventually("the NACK is gone", func() bool { return h.state("v1").Acked == 1 && len(h.state("v1").Nacks) == 0 })
			waitFor(t, "the mended one is live", func() bool { return get(fmt.Sprintf("http://127.0.0.1:%d/", free)) == "200 one" })
			if answer := get(url); answer != "200 one" {
				t.Errorf("the good one answers %s", answer)
			}
		})
	}
}

// renamed is the same listener by another name.
func renamed(t *testing.T, r envoy.Resource, name string) envoy.Resource {
	t.Helper()
	m, err := r.Body.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	l := proto.CloneOf(m.(*listenerv3.Listener))
	l.Name = name
	return encode(t, name, r.View, l)
}
