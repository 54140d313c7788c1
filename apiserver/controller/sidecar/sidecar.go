// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sidecar names what a pod's proxy has: ports, users, containers, volumes and
// paths. Packages agree on them here: the pod that inject shapes is the one for which
// envoy writes a bootstrap, and to which xds listens.
package sidecar

// Ports of the proxy. Inbound capture leaves the last three alone.
const (
	PortOutbound   = 15001
	PortInbound    = 15006
	PortProbes     = 15020
	PortReadiness  = 15021
	PortPrometheus = 15090
)

// ProxyPorts are all of them: no application can have one.
var ProxyPorts = []uint16{PortOutbound, PortInbound, PortProbes, PortReadiness, PortPrometheus}

// PortXDS is the control plane's port for delta ADS.
const PortXDS = 15012

// ProxyGID is the group that Envoy runs as; the redirection leaves its traffic
// alone. Pods of earlier versions have a proxy whose user has the same number.
const ProxyGID = 1337

// The users that proxies run as, one for each pod. The kernel counts inotify
// instances by user and gives each 128 (fs.inotify.max_user_instances); a proxy
// holds 5. The numbers are above those that container runtimes and user
// namespaces hand out.
//
// With 110 pods on a node two often share one of 10,000 users; 26 would have to
// share one before a proxy finds no instance left.
const (
	FirstProxyUID = 2_013_370_000
	ProxyUIDs     = 10_000
)

// ProxyUID gives the user for a pod by a number drawn for it.
func ProxyUID(drawn uint64) int64 { return FirstProxyUID + int64(drawn%ProxyUIDs) }

// IsProxyUID tells whether a user is one that proxies run as.
func IsProxyUID(uid int64) bool { return uid >= FirstProxyUID && uid < FirstProxyUID+ProxyUIDs }

// Containers and volumes that injection adds to a pod.
const (
	InitContainer  = "mesh-init"
	ProxyContainer = "mesh-proxy"
	VolumeIdentity = "mesh-identity"
	VolumeRoots    = "mesh-roots"
	VolumeFiles    = "mesh-files"
	VolumeRun      = "mesh-run"
)

// Paths in the proxy container.
const (
	// CredentialBundle is the kubelet's file: private key first, then the chain.
	CredentialBundle = "/var/run/secrets/mesh/identity/credentialbundle.pem"
	// ControlPlaneRoots is the ClusterTrustBundle's file: whom the proxy trusts as control plane.
	ControlPlaneRoots = "/var/run/secrets/mesh/roots/roots.pem"
	// FilesDirectory holds what Envoy reads beside its bootstrap, each file from an
	// annotation that the webhook writes: where the certificate and the control
	// plane's roots are, and how many refusals a proxy logs.
	FilesDirectory       = "/var/run/mesh"
	IdentitySDS          = FilesDirectory + "/identity.sds.yaml"
	ControlPlaneRootsSDS = FilesDirectory + "/control-plane-roots.sds.yaml"
	RefusalBudget        = FilesDirectory + "/refusal-budget.yaml"
	// RunDirectory is an emptyDir, for what is made in the pod.
	RunDirectory = "/var/run/mesh-run"
	// AdminSocket is Envoy's admin interface, a unix socket.
	AdminSocket = RunDirectory + "/admin.sock"
	// Helper is the copy of mesh-helper that the hook runs.
	Helper = RunDirectory + "/mesh-helper"
)

// Envoy's clusters of the pod's own application, whose work a drain waits for.
const (
	ClusterInboundTCP   = "inbound/tcp"
	ClusterInboundHTTP1 = "inbound/http1"
	ClusterInboundHTTP2 = "inbound/http2"
)

// ControlPlaneName is the DNS name of the control plane's Service, and the one DNS
// SAN by which proxies know it: mesh-apiserver.<system namespace>.svc.
func ControlPlaneName(systemNamespace string) string {
	return "mesh-apiserver." + systemNamespace + ".svc"
}

// Signer is the PodCertificateRequest signer of workload certificates.
const Signer = "mesh.openservicemesh.io/workload"

// TrustBundle is the ClusterTrustBundle that carries the roots, and
// TrustBundleSigner the signer it is bound to.
const (
	TrustBundleSigner = "mesh.openservicemesh.io/workload"
	TrustBundle       = "mesh.openservicemesh.io:workload:roots"
)

// The ALPN protocols by which a calling proxy tells what it carries.
const (
	ALPNHTTP2 = "mesh-h2"
	ALPNHTTP1 = "mesh-http/1.1"
	ALPNTCP   = "mesh-tcp"
)
