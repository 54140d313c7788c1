//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"fmt"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoyWarmsUpClustersThatShareEndpoints: a further cluster over endpoints that the
// proxy has is served with them, what comes to the endpoints comes to both, and either
// may change and go.
func TestEnvoyWarmsUpClustersThatShareEndpoints(t *testing.T) {
	h := newHarness(t)
	h.warmUp = patience
	a := pod("a", "v1")
	one, two := backend(t, "one"), backend(t, "two")
	port := freePort(t)
	h.start([]model.Proxy{a}, httpListener(t, port), accessFilter(t, true), edsCluster(t, "set", 1), assignment(t, "set", one), routeTo(t, "set"))
	admin := h.startEnvoy(a)
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	answers := func(want string) {
		t.Helper()
		waitFor(t, want, func() bool { return get(url) == "200 "+want })
	}
	answers("one")
	h.Apply(Update{Set: []envoy.Resource{sharingCluster(t, "other", "set", 2), routeTo(t, "other")}})
	waitFor(t, "a request by the other cluster", func() bool { get(url); return stat(t, admin, "cluster.other.upstream_cx_total") > 0 })
	answers("one")
	h.Apply(Update{Set: []envoy.Resource{assignment(t, "set", two)}})
	answers("two")
	h.Apply(Update{Set: []envoy.Resource{routeTo(t, "set")}})
	answers("two")
	h.Apply(Update{Set: []envoy.Resource{sharingCluster(t, "other", "set", 3), edsCluster(t, "set", 4)}})
	waitFor(t, "both are warm", func() bool { return stat(t, admin, "cluster_manager.warming_clusters") == 0 })
	h.Apply(Update{Set: []envoy.Resource{routeTo(t, "other"), assignment(t, "set", one)}, Remove: []envoy.Key{{TypeURL: clusters.typeURL(), Name: "set"}}})
	answers("one")
	waitFor(t, "one cluster less", func() bool { return stat(t, admin, "cluster_manager.cluster_removed") == 1 })
	h.Apply(Update{Set: []envoy.Resource{assignment(t, "set", two)}})
	answers("two")
}

func sharingCluster(t *testing.T, name, set string, connectSeconds int64) envoy.Resource {
	r := encode(t, name, "", &clusterv3.Cluster{
		Name: name, ConnectTimeout: &durationpb.Duration{Seconds: connectSeconds},
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: overADS(), ServiceName: set},
	})
	r.EndpointSet = set
	return r
}
