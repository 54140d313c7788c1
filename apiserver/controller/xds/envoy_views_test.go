//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoySwitchesBetweenViews gives a real Envoy variants of what the whole mesh
// has, in a view of its own, and takes them away, under traffic: no request fails, and
// no cluster stays cold.
func TestEnvoySwitchesBetweenViews(t *testing.T) {
	h := newHarness(t)
	h.warmUp = patience
	a := pod("a", "v1")
	one, two := backend(t, "one"), backend(t, "two")
	port := freePort(t)
	h.start([]model.Proxy{a}, httpListener(t, port), accessFilter(t, true),
		edsCluster(t, "one", 1), assignment(t, "one", one), routeTo(t, "one"),
		edsCluster(t, "two", 1), assignment(t, "two", two))
	admin := h.startEnvoy(a)
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	waitFor(t, "the first answer", func() bool { return get(url) == "200 one" })

	var failures, requests atomic.Int32
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if answer := get(url); !strings.HasPrefix(answer, "200") {
				failures.Add(1)
				t.Log(answer)
			}
			requests.Add(1)
		}
	}()
	own := func(r envoy.Resource) envoy.Resource {
		r.View = "v1"
		return r
	}
	settled := func(connect string) bool {
		return strings.Contains(admin("/config_dump?resource=dynamic_active_clusters"), fmt.Sprintf(`"connect_timeout": %q`, connect)) &&
			strings.Contains(admin("/stats?filter=warming_clusters"), "warming_clusters: 0")
	}
	for _, step := range []struct {
		what    string
		set     envoy.Resource
		there   func() bool
		restore func() bool
	}{
		{"endpoints", own(assignment(t, "one", two)), func() bool { return get(url) == "200 two" }, func() bool { return get(url) == "200 one" }},
		{"a route", own(routeTo(t, "two")), func() bool { return get(url) == "200 two" }, func() bool { return get(url) == "200 one" }},
		{"a cluster", own(edsCluster(t, "one", 7)), func() bool { return settled("7s") }, func() bool { return !settled("7s") && settled("1s") }},
	} {
		h.Apply(Update{Set: []envoy.Resource{step.set}})
		waitFor(t, step.what+" of its own", step.there)
		h.Apply(Update{Remove: []envoy.Key{step.set.Key}})
		waitFor(t, step.what+" that all have", step.restore)
	}
	waitFor(t, "traffic", func() bool { return requests.Load() > 10 })
	stop()
	<-done
	if failures.Load() > 0 {
		t.Errorf("%d of %d requests failed", failures.Load(), requests.Load())
	}
	waitFor(t, "all is ACKed", func() bool { s := h.state(""); return s.Acked == 1 && len(s.Nacks) == 0 })
}
