// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func TestForeignNodeIDIsRefusedOnEveryRequest(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			a := pod("a", "v1")
			h.start([]model.Proxy{a})
			c := h.connect(a)
			if name == "second" {
				c.subscribe(routes, "x")
				c.expectAck("RouteConfiguration -x")
			}
			c.send(&discovery.DeltaDiscoveryRequest{
				TypeUrl: clusters.typeURL(), Node: &corev3.Node{Id: pod("other", "").ID.String()},
			})
			expectCode(t, c.ending(), codes.PermissionDenied)
		})
	}
}

func TestFirstRequestWithoutANodeIsRefused(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a})
	c := h.open("", h.leafOf(a))
	go c.read()
	c.subscribe(clusters)
	expectCode(t, c.ending(), codes.InvalidArgument)
}

func TestTypeThatIsNotServedIsRefused(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a})
	c := h.connect(a)
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: "type.googleapis.com/envoy.service.runtime.v3.Runtime"})
	expectCode(t, c.ending(), codes.InvalidArgument)
}

func TestNameLongerThanAnyIsRefused(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	for name, request := range map[string]*discovery.DeltaDiscoveryRequest{
		"subscribed": {TypeUrl: routes.typeURL(), ResourceNamesSubscribe: []string{long}},
		"held":       {TypeUrl: clusters.typeURL(), InitialResourceVersions: map[string]string{long: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			a := pod("a", "v1")
			h.start([]model.Proxy{a})
			c := h.connect(a)
			c.send(request)
			expectCode(t, c.ending(), codes.InvalidArgument)
		})
	}
}

func TestStateOfTheWorldIsRefused(t *testing.T) {
	h := newHarness(t)
	c := h.connect(pod("a", "v1"))
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(c.Connection).StreamAggregatedResources(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	expectCode(t, err, codes.Unimplemented)
}

func TestStreamWaitsUntilTheStoreIsReady(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.hold = 0 // the time before the store is ready does not count, and who is admitted by its end is served
	c := h.connect(a)
	c.subscribe(routes, "x")
	if err := h.Ready(); err == nil {
		t.Error("ready without a picture")
	}
	h.start([]model.Proxy{a}, encoded(t, routes, "x", "", "1"))
	c.expect("RouteConfiguration x")
	if err := h.Ready(); err != nil {
		t.Error(err)
	}
}

func TestUnknownProxyIsHeldUntilItIsKnown(t *testing.T) {
	h := newHarness(t)
	h.start(nil, encoded(t, routes, "x", "", "1"))
	a := pod("a", "v1")
	c := h.connect(a)
	c.subscribe(routes, "x")
	h.Apply(Update{Proxies: []model.Proxy{a}})
	c.expect("RouteConfiguration x")
}

func TestUnknownProxyIsHeldForABoundedTime(t *testing.T) {
	h := newHarness(t)
	h.hold = 10 * time.Millisecond
	h.start(nil)
	expectCode(t, h.connect(pod("a", "v1")).ending(), codes.Unavailable)
}

func TestCertificateOfAnotherAccountIsRefused(t *testing.T) {
	a := pod("a", "v1")
	other := a
	other.ServiceAccount = "other"
	t.Run("when known", func(t *testing.T) {
		h := newHarness(t)
		h.start([]model.Proxy{other})
		expectCode(t, h.connect(a).ending(), codes.PermissionDenied)
	})
	t.Run("when it becomes known", func(t *testing.T) {
		h := newHarness(t)
		h.start(nil)
		c := h.connect(a)
		h.Apply(Update{Proxies: []model.Proxy{other}})
		expectCode(t, c.ending(), codes.PermissionDenied)
	})
}

func TestStreamEndsWithItsPod(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a})
	c := h.connect(a)
	c.subscribe(clusters)
	c.expect("Cluster")
	h.Apply(Update{GoneProxies: []model.ProxyID{a.ID}})
	expectCode(t, c.ending(), codes.NotFound)
}

func TestNewerStreamOfAProxyReplacesTheOlder(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a})
	old := h.connect(a)
	old.subscribe(clusters)
	old.expect("Cluster")
	c := h.connect(a)
	c.subscribe(clusters)
	c.expect("Cluster")
	expectCode(t, old.ending(), codes.Aborted)
	if got := len(h.Counts()); got != 1 {
		t.Errorf("%d connected", got)
	}
}

func TestStreamEndsBeforeItsCertificate(t *testing.T) {
	h := newHarness(t)
	a := pod("a", "v1")
	h.start([]model.Proxy{a})
	// Half of what is left of a long life: 4 s to connect in, 4 s to see the end in.
	expires := time.Now().Add(8 * time.Second)
	c := h.open(a.ID.String(), h.ca.issue(t, func(template *x509.Certificate) {
		template.Subject = pkix.Name{CommonName: a.ID.String(), OrganizationalUnit: []string{a.ServiceAccount}}
		template.NotBefore, template.NotAfter = expires.Add(-time.Hour), expires
	}))
	go c.read()
	c.subscribe(clusters)
	c.expect("Cluster")
	expectCode(t, c.ending(), codes.Unauthenticated)
	if time.Now().After(expires) {
		t.Error("the stream outlived its certificate")
	}
}

func TestUntilClose(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		before, after time.Duration
		jitter        float64
		want          time.Duration
	}{
		"a day, no jitter":            {0, 24 * time.Hour, 0, 24*time.Hour - 10*time.Minute},
		"a day, all jitter":           {0, 24 * time.Hour, 1, 24*time.Hour - 5*time.Minute},
		"an hour: a tenth":            {0, time.Hour, 0, time.Hour - 6*time.Minute},
		"within the margin: half":     {time.Hour, 4 * time.Minute, 0, 2 * time.Minute},
		"over: at once":               {time.Hour, -time.Minute, 0.5, 0},
		"half a life gone, no jitter": {12 * time.Hour, 12 * time.Hour, 0, 12*time.Hour - 10*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := &x509.Certificate{NotBefore: now.Add(-test.before), NotAfter: now.Add(test.after)}
			if got := untilClose(leaf, now, test.jitter); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestServeDemandsVerifiedClients(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := New(Options{}).Serve(t.Context(), listener, &tls.Config{ClientAuth: tls.RequireAnyClientCert}); err == nil {
		t.Error("served without verification")
	}
}

func expectCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("ended with %v, want %s", err, want)
	}
}
