// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package model

// Names on which more than one room must agree: the pod that inject shapes is
// the one that envoy writes a bootstrap for and that xds listens to.

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

// ProxyUID is the user that Envoy runs as; its own traffic is not captured.
const ProxyUID = 1337

// Containers and volumes that injection adds to a pod.
const (
	InitContainer  = "mesh-init"
	ProxyContainer = "mesh-proxy"
	VolumeIdentity = "mesh-identity"
	VolumeRoots    = "mesh-roots"
	VolumeRun      = "mesh-run"
)

// Paths in the proxy container.
const (
	// CredentialBundle is the kubelet's file: private key first, then the chain.
	CredentialBundle = "/var/run/secrets/mesh/identity/credentialbundle.pem"
	// ControlPlaneRoots is the ClusterTrustBundle's file: whom the proxy trusts as control plane.
	ControlPlaneRoots = "/var/run/secrets/mesh/roots/roots.pem"
	// RunDirectory is an emptyDir that mesh-init fills.
	RunDirectory = "/var/run/mesh"
	// Bootstrap, IdentitySDS and ControlPlaneRootsSDS are written by mesh-init.
	Bootstrap            = RunDirectory + "/bootstrap.yaml"
	IdentitySDS          = RunDirectory + "/identity.sds.yaml"
	ControlPlaneRootsSDS = RunDirectory + "/control-plane-roots.sds.yaml"
	// RefusalBudget is written by mesh-init too: how many refusals a proxy logs.
	RefusalBudget = RunDirectory + "/refusal-budget.yaml"
	// AdminSocket is Envoy's admin interface, a unix socket.
	AdminSocket = RunDirectory + "/admin.sock"
	// Binary is the copy of mesh-apiserver that the hooks run.
	Binary = RunDirectory + "/mesh-apiserver"
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

// SPIFFEID is the identity of a service account:
// spiffe://<trustDomain>/ns/<namespace>/sa/<serviceAccount>.
func SPIFFEID(trustDomain, namespace, serviceAccount string) string {
	return "spiffe://" + trustDomain + "/ns/" + namespace + "/sa/" + serviceAccount
}
