// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build soak

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// endured are the connections of one caller that nothing may cut: a TCP
// connection, a gRPC stream, an HTTP/1.1 connection, and new ones beside them.
type endured struct {
	tcp, grpc, http *cluster.Watch
}

func endure(t *testing.T, shop *cluster.Shop) *endured {
	t.Helper()
	e := &endured{
		tcp:  buyer.Hold(t, shop.Echo(), "--for=20m"),
		http: buyer.Probe(t, "200", shop.URL("/books"), "--every=10ms", "--for=20m"),
		grpc: buyer.Watch(t, "stream", "--for=20m", shop.GRPCAddress()),
	}
	e.grpc.Await(t, soon, "answered", "old")
	return e
}

// check fails the test if anything but success was seen, or a connection ended.
func (e *endured) check(t *testing.T, after string) {
	t.Helper()
	for _, kind := range []string{"new", "old"} {
		if got := e.tcp.Outcomes(kind); !slices.Equal(got, []string{"echo"}) {
			t.Errorf("after %s: TCP, %s connection: %v", after, kind, got)
		}
		if got := e.http.Outcomes(kind); !slices.Equal(got, []string{"200"}) {
			t.Errorf("after %s: HTTP, %s connection: %v", after, kind, got)
		}
	}
	if got := e.grpc.Outcomes("old"); !slices.Equal(got, []string{"answered"}) {
		t.Errorf("after %s: gRPC stream: %v", after, got)
	}
}

// One TCP connection, one gRPC stream and one HTTP connection live through what
// happens to others, to the Service's endpoints and to the control plane, and
// through a widening of their own policy.
func TestSoakConnectionsLiveThroughWhatDoesNotForbidThem(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "buyer", `
action: Allow
rules: [{from: [{serviceAccounts: [{namespace: `+buyer.Namespace+`, name: `+buyer.Account+`}]}], to: [{all: {}}]}]
`)
	held := endure(t, shop)
	for _, event := range []struct {
		name   string
		happen func(*testing.T, *cluster.Shop)
	}{
		{"other services' edits", editOthers},
		{"a widening of their own policy", widen},
		{"endpoint churn", churn},
		{"the control plane deleted and back", func(t *testing.T, shop *cluster.Shop) { comeBackToNothing(t, shop, live.DeleteServer) }},
		{"the control plane killed and back", func(t *testing.T, shop *cluster.Shop) { comeBackToNothing(t, shop, live.KillServer) }},
	} {
		event.happen(t, shop)
		// What a change cuts ends within the drain time.
		time.Sleep(drainTime)
		held.check(t, event.name)
	}
}

// comeBackToNothing ends the control plane; when it is back nothing is resent, by
// its own counters and by those of Envoy.
func comeBackToNothing(t *testing.T, shop *cluster.Shop, end func(context.Context) error) {
	t.Helper()
	proxies := []*cluster.Pod{buyer, shop.Pod}
	before := map[*cluster.Pod]map[string]float64{}
	for _, proxy := range proxies {
		before[proxy] = takenUp(t, proxy)
	}
	away(t, end)
	wantNothingResent(t)
	for _, proxy := range proxies {
		for counter, after := range takenUp(t, proxy) {
			if was := before[proxy][counter]; after != was {
				t.Errorf("%s of %s went from %v to %v while the control plane came back", counter, proxy.Name, was, after)
			}
		}
	}
}

// takenUp is how often a proxy has been sent listeners and routes, and replaced a
// listener. Clusters are left out: the control plane's own endpoints come and go.
func takenUp(t *testing.T, pod *cluster.Pod) map[string]float64 {
	t.Helper()
	stats, err := pod.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	taken := map[string]float64{}
	for _, counter := range []string{"envoy_listener_manager_lds_update_success", "envoy_listener_manager_listener_modified", "envoy_http_rds_update_success"} {
		taken[counter] = stats.Sum(counter)
	}
	if taken["envoy_listener_manager_lds_update_success"] == 0 {
		t.Fatalf("%s counts no update of listeners at all", pod.Name)
	}
	return taken
}

// editOthers makes, edits and removes a Service and policies of another namespace.
func editOthers(t *testing.T, _ *cluster.Shop) {
	t.Run("other", func(t *testing.T) {
		other := live.Shop(t)
		live.Policy(t, other.Namespace, "readers", admit(thief))
		wantGet(t, thief, "200", other.URL("/books"))
		wantGet(t, buyer, "403", other.URL("/books"))
		live.Policy(t, other.Namespace, "readers", admit(buyer))
		wantGet(t, buyer, "200", other.URL("/books"))
		live.Policy(t, other.Namespace, "echo", admitTCP(thief.Namespace, thief.Account))
		live.Policy(t, other.Namespace, "echo", admitTCP(buyer.Namespace, buyer.Account))
	})
}

func widen(t *testing.T, shop *cluster.Shop) {
	live.Policy(t, shop.Namespace, "thief", `
action: Allow
rules: [{from: [{serviceAccounts: [{namespace: `+thief.Namespace+`, name: `+thief.Account+`}]}], to: [{all: {}}]}]
`)
	wantGet(t, thief, "200", shop.URL("/books"))
}

// churn starts and removes pods of the same Services, as a rollout would.
func churn(t *testing.T, shop *cluster.Shop) {
	for i := range 5 {
		name := fmt.Sprint("shop-", i)
		if _, err := shop.Another(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if err := live.Core.CoreV1().Pods(shop.Namespace).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
