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

	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// backTime bounds the control plane's return: its own start, the API's
// availability, and Envoy's backoff of at most 30 s.
const backTime = 90 * time.Second

// The tests here take the control plane away: none is parallel.

func TestTrafficFlowsWhileTheControlPlaneIsDeletedAndBack(t *testing.T) {
	outage(t, live.DeleteServer)
}

func TestTrafficFlowsWhileTheControlPlaneIsKilledAndBack(t *testing.T) {
	outage(t, live.KillServer)
}

func outage(t *testing.T, end func(context.Context) error) {
	live.Settle(t)
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	served := buyer.Watch(t, "probe", "--every=5ms", "--for=10m", shop.URL("/books"))
	served.Await(t, soon, "200", "new", "old")
	refused := thief.Watch(t, "probe", "--every=50ms", "--for=10m", shop.URL("/books"))
	refused.Await(t, soon, "403", "new", "old")

	before, _ := live.ServerReady(t.Context())
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, backTime, func() (string, bool) {
		after, ready := live.ServerReady(t.Context())
		return "the control plane is not back", ready && after != before
	})
	cluster.Eventually(t, backTime, func() (string, bool) {
		metrics, err := live.ServerMetrics(t.Context())
		if err != nil {
			return err.Error(), false
		}
		got, want := metrics.Sum("mesh_xds_connected_streams"), live.Meshed(t)
		return fmt.Sprintf("%v of %v proxies are connected again", got, want), got >= float64(want)
	})
	wantNothingResent(t)
	for name, watch := range map[string]*cluster.Watch{"200": served, "403": refused} {
		for _, connection := range []string{"new", "old"} {
			if got := watch.Outcomes(connection); !slices.Equal(got, []string{name}) {
				t.Errorf("%s connection: got %v, want %s alone", connection, got, name)
			}
		}
	}

	cluster.Eventually(t, backTime, func() (string, bool) {
		_, err := live.Mesh.MeshV1alpha1().MeshPolicies(shop.Namespace).Get(t.Context(), "readers", metav1.GetOptions{})
		return fmt.Sprintf("the API is not back: %v", err), err == nil
	})
	live.Policy(t, shop.Namespace, "readers", admit(thief))
	served.Await(t, soon, "403", "new", "old")
	refused.Await(t, soon, "200", "new", "old")
	if old := served.Lines("old"); old[len(old)-1].Cut != 0 {
		t.Errorf("the proxy has ended the old connection %d times, want never", old[len(old)-1].Cut)
	}
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
		got := metrics.Sum("mesh_xds_resources_total{", fmt.Sprintf(`type="%s"`, kind))
		if got > changed[kind] {
			t.Errorf("after its return the control plane sent or removed %v resources of type %s, want at most %v", got, kind, changed[kind])
		}
	}
}
