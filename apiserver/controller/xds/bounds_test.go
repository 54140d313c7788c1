// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"fmt"
	"strings"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestLargestRequestIsReceived sends as much as is allowed, in one message.
func TestLargestRequestIsReceived(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, routes, "x", "", "1"))
	c := h.connect(a)
	request := reconnect(maxNames - 1)
	request.ResourceNamesSubscribe = append(request.ResourceNamesSubscribe, "x")
	if size := proto.Size(request); size > maxRequest-1<<20 {
		t.Fatalf("%d bytes leave less than 1 MiB of %d for the node and for Envoy's words", size, maxRequest)
	}
	c.send(request)
	if got := c.next().GetResources(); len(got) != 1 || got[0].GetName() != "x" {
		t.Errorf("was sent %v, want x", got)
	}
}

func TestMoreNamesThanAllowedAreRefused(t *testing.T) {
	for name, request := range map[string]*discovery.DeltaDiscoveryRequest{
		"subscribed": {TypeUrl: routes.typeURL(), ResourceNamesSubscribe: reconnect(maxNames + 1).ResourceNamesSubscribe},
		"held":       {TypeUrl: clusters.typeURL(), InitialResourceVersions: reconnect(maxNames + 1).InitialResourceVersions},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			a := pod("a", "v1")
			h.start([]model.Proxy{a})
			c := h.connect(a)
			c.send(request)
			expectCode(t, c.ending(), codes.ResourceExhausted)
		})
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

func TestABurstIsOverOnce(t *testing.T) {
	s := New(Options{})
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

// reconnect is the first request of a stream that had n resources, with names and
// versions as long as they can be.
func reconnect(n int) *discovery.DeltaDiscoveryRequest {
	request := &discovery.DeltaDiscoveryRequest{TypeUrl: routes.typeURL(), InitialResourceVersions: map[string]string{}}
	version := strings.Repeat("v", 33)
	for i := range n {
		name := fmt.Sprintf("%0*d", maxName, i)
		request.ResourceNamesSubscribe = append(request.ResourceNamesSubscribe, name)
		request.InitialResourceVersions[name] = version
	}
	return request
}
