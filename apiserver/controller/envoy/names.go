// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Names of the resources that every proxy has. The others are made by the
// functions below: a name tells whose resource it is, and the view where
// proxies differ, so that one name has the same bytes for all.
const (
	ListenerOutbound = "outbound"
	ListenerInbound  = "inbound"

	ClusterPassthrough  = "passthrough"
	ClusterInboundTCP   = sidecar.ClusterInboundTCP
	ClusterInboundHTTP1 = sidecar.ClusterInboundHTTP1
	ClusterInboundHTTP2 = sidecar.ClusterInboundHTTP2
	// ClusterInboundHTTP speaks what the caller does.
	ClusterInboundHTTP = "inbound/http"

	// SecretRoots is the validation context with the workload roots.
	SecretRoots = "roots"
	// SecretIdentity and SecretControlPlaneRoots are read from the files that
	// the webhook gives the pod; the control plane never sends them.
	SecretIdentity          = "identity"
	SecretControlPlaneRoots = "control-plane-roots"
)

// ServicePortName names the RDS, ECDS and CDS resource of a Service's port:
// out/<namespace>/<service>:<port>.
func ServicePortName(s model.ServiceKey, port uint16) string {
	return fmt.Sprintf("out/%s/%s:%d", s.Namespace, s.Name, port)
}

// EndpointSetName names the EDS resource of a Service's port. It is the name of the
// cluster that everybody has of the port; a cluster by another name, with other
// settings, takes its endpoints from there too.
func EndpointSetName(s model.ServiceKey, port uint16) string { return ServicePortName(s, port) }

// HeadlessName names the filter chain of a headless Service's port for one
// peer, and its RDS or ECDS and CDS resource: out/<namespace>/<service>:<port>/sa/<account>,
// or, for what is outside the mesh, out/<namespace>/<service>:<port>/plaintext.
// The pods behind a Service are of its own namespace, and so are their accounts.
func HeadlessName(s model.DirectService, peer model.Peer) string {
	name := ServicePortName(s.Key, s.Number)
	if peer.Plaintext {
		return name + "/plaintext"
	}
	return name + "/sa/" + accountPart(peer.Account.Name)
}

// AccountName names the filter chain and the cluster of an account's pods,
// called at their own addresses: pods/<namespace>/<account>.
func AccountName(a model.Account) string {
	return "pods/" + a.Namespace + "/" + accountPart(a.Name)
}

// maxAccountPart bounds what stands for an account in a name, in bytes. An account
// may have 253, and names are bounded where proxies say them.
const maxAccountPart = 100

// accountPart is an account's name with "_" for each dot, or, if it is long, its
// beginning and a hash of it; "_" and "~" are in no account's name. Envoy makes of
// each dot in a name a part of the names of its statistics, and other names of
// users have none but those of policies (statsConfig).
func accountPart(account string) string {
	part := strings.ReplaceAll(account, ".", "_")
	if len(part) <= maxAccountPart {
		return part
	}
	sum := sha256.Sum256([]byte(account))
	hash := "~" + hex.EncodeToString(sum[:16])
	return part[:maxAccountPart-len(hash)] + hash
}

// ServiceListenerName names the unbound listener of an address that a Service
// owns: out/<ip>:<port>, an IPv6 address in brackets.
func ServiceListenerName(ip netip.Addr, port uint16) string {
	return "out/" + netip.AddrPortFrom(ip, port).String()
}

// InboundPortName names the RDS and the SDS resource of an inbound port:
// in/<family>/<port>. Port 0 stands for every port that the workload does not list.
func InboundPortName(family string, port uint16) string {
	return fmt.Sprintf("in/%s/%d", family, port)
}

// inboundName is InboundPortName for a port of a workload.
func inboundName(w model.Workload, p model.InboundPort) string {
	return InboundPortName(cmp.Or(w.Family, w.View), p.Number)
}
