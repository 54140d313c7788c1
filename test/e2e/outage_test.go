// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// backTime bounds the control plane's return: its own start, the API's
// availability, and Envoy's backoff of at most 5 s.
const backTime = 90 * time.Second

// Not parallel: it takes the control plane away, once as an eviction does and
// once as a crash.
func TestTrafficFlowsWhileTheControlPlaneIsAway(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	served := buyer.Probe(t, "200", shop.URL("/books"), "--every=5ms")
	refused := thief.Probe(t, "403", shop.URL("/books"), "--every=50ms")
	held := buyer.Hold(t, shop.Echo())

	away(t, live.DeleteServer)
	wantNothingResent(t)
	away(t, live.KillServer)
	wantNothingResent(t)
	for want, watch := range map[string]*cluster.Watch{"200": served, "403": refused, "echo": held} {
		for _, connection := range []string{"new", "old"} {
			if got := watch.Outcomes(connection); !slices.Equal(got, []string{want}) {
				t.Errorf("%s connection: got %v, want %s alone", connection, got, want)
			}
		}
	}

	live.Policy(t, shop.Namespace, "readers", admit(thief))
	served.Await(t, soon, "403", "new", "old")
	refused.Await(t, soon, "200", "new", "old")
	if old := served.Lines("old"); old[len(old)-1].Cut != 0 {
		t.Errorf("the proxy has ended the old connection %d times, want never", old[len(old)-1].Cut)
	}
}

// away ends the control plane, and waits until it is back with every proxy.
func away(t *testing.T, end func(context.Context) error) {
	t.Helper()
	before, _ := live.ServerReady(t.Context())
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	await.State(t, backTime, func() (string, bool) {
		after, ready := live.ServerReady(t.Context())
		return "the control plane is not back", ready && after != before
	})
	await.State(t, backTime, func() (string, bool) {
		metrics, err := live.ServerMetrics(t.Context())
		if err != nil {
			return err.Error(), false
		}
		got, want := metrics.Sum("mesh_xds_connected_streams"), live.Meshed(t)
		return fmt.Sprintf("%v of %v proxies are connected again", got, want), got >= float64(want)
	})
	await.State(t, backTime, func() (string, bool) {
		_, err := live.Mesh.MeshV1alpha1().MeshConfigs().Get(t.Context(), v1alpha1.MeshConfigName, metav1.GetOptions{})
		return fmt.Sprintf("the API is not back: %v", err), err == nil
	})
}

// wantNothingResent: a new server counts from zero, and every proxy has come
// back with what it had. What has changed is the control plane itself: its
// endpoints, and with the first and last of them the cluster of its HTTP port.
func wantNothingResent(t *testing.T) {
	t.Helper()
	metrics, err := live.ServerMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]float64{"ClusterLoadAssignment": math.Inf(1), "Cluster": 2 * float64(live.Meshed(t))}
	for _, kind := range []string{"Listener", "RouteConfiguration", "Cluster", "ClusterLoadAssignment", "TypedExtensionConfig", "Secret"} {
		got := metrics.Sum("mesh_xds_resources_total{", `result="sent"`, fmt.Sprintf(`type="%s"`, kind))
		if got > changed[kind] {
			t.Errorf("after its return the control plane sent %v resources of type %s, want at most %v", got, kind, changed[kind])
		}
	}
}
