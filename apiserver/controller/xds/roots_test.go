// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TCP ports have validation contexts of their own, which carry the roots as well.
func TestProxyLacksARootUntilItHasAckedItInEveryValidationContext(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, secrets, "roots", "", "old"), encoded(t, secrets, "in/v1/9000", "", "old"))
	c := h.connect(a)
	c.subscribe(secrets, "roots", "in/v1/9000")
	c.expectAck("Secret in/v1/9000 roots")
	lacking := func() []string { return h.Lacking([]byte("next")) }
	want := []string{a.ID.String()}
	if diff := cmp.Diff(want, lacking()); diff != "" {
		t.Errorf("before it is compiled: -want +got:\n%s", diff)
	}

	h.Apply(Update{Set: []envoy.Resource{encoded(t, secrets, "roots", "", "old next")}})
	c.expectAck("Secret roots")
	if diff := cmp.Diff(want, lacking()); diff != "" {
		t.Errorf("in one of two: -want +got:\n%s", diff)
	}
	h.Apply(Update{Set: []envoy.Resource{encoded(t, secrets, "in/v1/9000", "", "old next")}})
	sent := c.expect("Secret in/v1/9000")
	if diff := cmp.Diff(want, lacking()); diff != "" {
		t.Errorf("sent and not answered: -want +got:\n%s", diff)
	}
	c.ack(sent)
	waitFor(t, "it has both", func() bool { return len(lacking()) == 0 })
}

// Whom nobody waits for must really need none.
func TestProxyLacksARootUntilItHasSaidWhatItWants(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a}, encoded(t, secrets, "roots", "", "next"))
	lacking := func() int { return len(h.Lacking([]byte("next"))) }
	c := h.connect(a)
	c.subscribe(clusters)
	c.expectAck("Cluster")
	if lacking() != 1 {
		t.Error("a proxy that has asked for no listeners yet is not waited for")
	}
	c.subscribe(listeners)
	c.expectAck("Listener")
	waitFor(t, "who wants no secret is not waited for", func() bool { return lacking() == 0 })

	c.subscribe(secrets, "roots")
	c.nack(c.expect("Secret roots"), "no such root")
	waitFor(t, "who refuses it is waited for", func() bool { return lacking() == 1 })
	h.Apply(Update{GoneProxies: []model.ProxyID{a.ID}})
	waitFor(t, "who is gone is not", func() bool { return lacking() == 0 })
}
