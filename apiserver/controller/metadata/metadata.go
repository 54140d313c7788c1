// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metadata names the labels and annotations of the mesh, and finds those that
// users have misspelt.
package metadata

// Prefix is that of all labels and annotations of the mesh.
const Prefix = "mesh.openservicemesh.io/"

// InjectLabel on a Namespace puts its pods in the mesh, on a pod it overrides
// the Namespace. Its values are InjectEnabled and InjectDisabled.
const (
	InjectLabel    = "mesh.openservicemesh.io/inject"
	InjectEnabled  = "enabled"
	InjectDisabled = "disabled"
)

// Labels of a Namespace that say what pods in it may do beside: hold rights with
// which a container can step around its proxy, and keep callers away from it.
const (
	PrivilegedLabel       = "mesh.openservicemesh.io/privileged-workloads"
	InboundExclusionLabel = "mesh.openservicemesh.io/inbound-exclusions"
)

// VisibilityAnnotation on a Namespace says who sees its Services and pods:
// "Mesh", "Namespace", or names of namespaces with commas between.
const VisibilityAnnotation = "mesh.openservicemesh.io/visibility"

// The annotations by which a Namespace or pod overrides traffic.mtls and
// traffic.access, and, "9090=Permissive,9091=Strict", those of ports.
const (
	MTLSAnnotation        = "mesh.openservicemesh.io/mtls"
	AccessAnnotation      = "mesh.openservicemesh.io/access"
	MTLSPortsAnnotation   = "mesh.openservicemesh.io/mtls-ports"
	AccessPortsAnnotation = "mesh.openservicemesh.io/access-ports"
)

// TrafficAnnotations are those of a pod, NamespaceTrafficAnnotations those of a
// Namespace: mtls-ports there is of the ports of all its pods.
var (
	TrafficAnnotations          = []string{MTLSAnnotation, AccessAnnotation, MTLSPortsAnnotation, AccessPortsAnnotation}
	NamespaceTrafficAnnotations = []string{MTLSAnnotation, AccessAnnotation, MTLSPortsAnnotation}
)

// Annotations of a pod that keep some of its traffic away from the proxy, each
// a list with commas between. An excluded inbound port takes plaintext from
// anybody, and no policy guards it.
const (
	ExcludeInboundPorts   = "mesh.openservicemesh.io/exclude-inbound-ports"
	ExcludeOutboundPorts  = "mesh.openservicemesh.io/exclude-outbound-ports"
	ExcludeOutboundRanges = "mesh.openservicemesh.io/exclude-outbound-ip-ranges"
	ExcludeInterfaces     = "mesh.openservicemesh.io/exclude-interfaces"
)

// Annotations of a pod that replace what MeshConfig.spec.sidecar says, for its
// own proxy.
const (
	ProxyCPU             = "mesh.openservicemesh.io/proxy-cpu"
	ProxyCPULimit        = "mesh.openservicemesh.io/proxy-cpu-limit"
	ProxyMemory          = "mesh.openservicemesh.io/proxy-memory"
	ProxyMemoryLimit     = "mesh.openservicemesh.io/proxy-memory-limit"
	ProxyImageAnnotation = "mesh.openservicemesh.io/proxy-image"
	ProxyLogLevel        = "mesh.openservicemesh.io/proxy-log-level"
	ProxyConcurrency     = "mesh.openservicemesh.io/proxy-concurrency"
)

// Annotations of a pod that only the webhook writes, and the volume mesh-files
// shows to the proxy as files. The admission policy mesh-pods keeps them.
const (
	IdentitySDSAnnotation          = "mesh.openservicemesh.io/identity-sds"
	ControlPlaneRootsSDSAnnotation = "mesh.openservicemesh.io/control-plane-roots-sds"
	RefusalBudgetAnnotation        = "mesh.openservicemesh.io/refusal-budget"
)

// FileAnnotations are all of them.
var FileAnnotations = []string{IdentitySDSAnnotation, ControlPlaneRootsSDSAnnotation, RefusalBudgetAnnotation}

// Annotations of a pod or Service by which Prometheus is asked to come, where its
// configuration is like its own example.
const (
	ScrapeAnnotation     = "prometheus.io/scrape"
	ScrapePortAnnotation = "prometheus.io/port"
)
