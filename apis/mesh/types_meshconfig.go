// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshConfigName is the name of the one MeshConfig.
const MeshConfigName = "default"

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshConfig holds the settings of the whole mesh. There is one, named
// default; deleting it sets everything back to the defaults.
type MeshConfig struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   MeshConfigSpec
	Status MeshConfigStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshConfigList is a list of MeshConfigs.
type MeshConfigList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []MeshConfig
}

// MeshConfigSpec holds the settings of the whole mesh. Whatever is left out
// gets its default.
type MeshConfigSpec struct {
	Traffic     TrafficConfig
	Sidecar     SidecarConfig
	Certificate CertificateConfig
}

// TrafficConfig says which calls pass where no policy speaks.
type TrafficConfig struct {
	Access   AccessMode
	MTLS     MTLSMode
	Unmeshed UnmeshedMode
	Egress   EgressMode
	// Visibility is to whom the namespaces of the mesh are visible.
	Visibility VisibilityMode

	PodsMayLoosen     []TrafficAxis
	EscapedSlashes    EscapedSlashes
	MinimumTLSVersion TLSVersion
}

// TrafficAxis names a setting of traffic that annotations can change.
type TrafficAxis string

const (
	// TrafficAxisMTLS is traffic.mtls.
	TrafficAxisMTLS TrafficAxis = "mtls"
	// TrafficAxisAccess is traffic.access.
	TrafficAxisAccess TrafficAxis = "access"
)

// EscapedSlashes is the fate of a path with a slash in percent-encoding.
type EscapedSlashes string

const (
	// EscapedSlashesReject answers such a request with 400 where a rule names paths.
	EscapedSlashesReject EscapedSlashes = "Reject"
	// EscapedSlashesDecode replaces it by the character itself.
	EscapedSlashesDecode EscapedSlashes = "Decode"
)

// TLSVersion is a version of TLS.
type TLSVersion string

const (
	// TLSVersion12 is TLS 1.2 (RFC 5246).
	TLSVersion12 TLSVersion = "TLSv1_2"
	// TLSVersion13 is TLS 1.3 (RFC 8446).
	TLSVersion13 TLSVersion = "TLSv1_3"
)

// AccessMode is who may call a port that no Allow policy has closed.
type AccessMode string

const (
	// AccessOpen admits everybody in the mesh.
	AccessOpen AccessMode = "Open"
	// AccessDefaultDeny admits nobody.
	AccessDefaultDeny AccessMode = "DefaultDeny"
)

// MTLSMode is whether workloads take plaintext.
type MTLSMode string

const (
	// MTLSStrict takes mutual TLS alone.
	MTLSStrict MTLSMode = "Strict"
	// MTLSPermissive takes plaintext as well.
	MTLSPermissive MTLSMode = "Permissive"
)

// UnmeshedMode is whether meshed callers may reach endpoints outside the mesh.
type UnmeshedMode string

const (
	// UnmeshedAllow lets them, in plaintext.
	UnmeshedAllow UnmeshedMode = "Allow"
	// UnmeshedRefuse refuses the connection.
	UnmeshedRefuse UnmeshedMode = "Refuse"
)

// VisibilityMode is to whom a namespace is visible.
type VisibilityMode string

const (
	// VisibilityMesh is to the whole mesh.
	VisibilityMesh VisibilityMode = "Mesh"
	// VisibilityNamespace is to the namespace itself alone.
	VisibilityNamespace VisibilityMode = "Namespace"
)

// EgressMode is the fate of a connection to an address that no Service names.
type EgressMode string

const (
	// EgressPassthrough lets it through unchanged.
	EgressPassthrough EgressMode = "Passthrough"
	// EgressRefuse closes it.
	EgressRefuse EgressMode = "Refuse"
)

// SidecarConfig is how the proxies run.
type SidecarConfig struct {
	Image            string
	Resources        SidecarResources
	LogLevel         SidecarLogLevel
	Concurrency      *int32
	DrainTime        *metav1.Duration
	TerminationDrain *metav1.Duration
	PreStopSleep     *metav1.Duration
}

// SidecarResources is what the proxy's container may use, as in a Pod.
type SidecarResources struct {
	Limits   corev1.ResourceList
	Requests corev1.ResourceList
}

// SidecarLogLevel is one of Envoy's log levels.
type SidecarLogLevel string

// Envoy's log levels, as its --log-level takes them.
const (
	SidecarLogLevelTrace    SidecarLogLevel = "trace"
	SidecarLogLevelDebug    SidecarLogLevel = "debug"
	SidecarLogLevelInfo     SidecarLogLevel = "info"
	SidecarLogLevelWarning  SidecarLogLevel = "warning"
	SidecarLogLevelError    SidecarLogLevel = "error"
	SidecarLogLevelCritical SidecarLogLevel = "critical"
	SidecarLogLevelOff      SidecarLogLevel = "off"
)

// CertificateConfig is how the identities of workloads are issued.
type CertificateConfig struct {
	Lifetime    *metav1.Duration
	TrustDomain string
}

// MeshConfigStatus is what the mesh has made of its settings.
type MeshConfigStatus struct {
	Conditions []metav1.Condition
}
