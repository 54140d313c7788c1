// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"math"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// ClusterMissing is a cluster that no proxy ever has. What is led there is answered
// by 500, or, where it is a connection, closed.
const ClusterMissing = "missing"

// destination is where calls go.
type destination struct {
	// shares are never empty, name no cluster twice, and have no weight of 0.
	shares []share
	// foreign is true if a caller may not have one of the clusters: that of another
	// Service, which it may not see.
	foreign bool
}

// share is how much of the calls a cluster gets.
type share struct {
	cluster string
	weight  uint32
}

func wholeTo(cluster string) destination { return destination{shares: []share{{cluster, 1}}} }

// destinationOf gives the clusters of backends, to which the routes of a port lead
// whose own cluster is named too. What has no share is left out, and what is missing
// has its share of ClusterMissing.
func destinationOf(own string, backends []model.Backend) destination {
	var clusters []string
	weights := map[string]uint64{}
	total := uint64(0)
	for _, b := range backends {
		if b.Weight == 0 {
			continue
		}
		name := backendCluster(b)
		if weights[name] == 0 {
			clusters = append(clusters, name)
		}
		weights[name] += uint64(b.Weight)
		total += uint64(b.Weight)
	}
	if total == 0 {
		return destination{shares: []share{{ClusterMissing, 1}}, foreign: true}
	}
	out := destination{foreign: len(clusters) > 1 || clusters[0] != own}
	// The sum that Envoy takes has 32 bits.
	scale := total/(math.MaxUint32/2) + 1
	for _, name := range clusters {
		out.shares = append(out.shares, share{name, uint32(max(1, weights[name]/scale))})
	}
	return out
}

func backendCluster(b model.Backend) string {
	if b.Missing {
		return ClusterMissing
	}
	return ServicePortName(b.Service, b.Port)
}

// ofRequests makes a route lead there.
func (d destination) ofRequests(to *routev3.RouteAction) {
	if d.foreign {
		to.ClusterNotFoundResponseCode = routev3.RouteAction_INTERNAL_SERVER_ERROR
	}
	if len(d.shares) == 1 {
		to.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: d.shares[0].cluster}
		return
	}
	weighted := &routev3.WeightedCluster{}
	for _, s := range d.shares {
		weighted.Clusters = append(weighted.Clusters, &routev3.WeightedCluster_ClusterWeight{Name: s.cluster, Weight: u32(s.weight)})
	}
	to.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: weighted}
}

// ofConnections makes a tcp_proxy lead there. One whose cluster is not there closes
// the connection.
func (d destination) ofConnections(p *tcpproxyv3.TcpProxy) {
	if len(d.shares) == 1 {
		p.ClusterSpecifier = &tcpproxyv3.TcpProxy_Cluster{Cluster: d.shares[0].cluster}
		return
	}
	weighted := &tcpproxyv3.TcpProxy_WeightedCluster{}
	for _, s := range d.shares {
		weighted.Clusters = append(weighted.Clusters, &tcpproxyv3.TcpProxy_WeightedCluster_ClusterWeight{Name: s.cluster, Weight: s.weight})
	}
	p.ClusterSpecifier = &tcpproxyv3.TcpProxy_WeightedClusters{WeightedClusters: weighted}
}
