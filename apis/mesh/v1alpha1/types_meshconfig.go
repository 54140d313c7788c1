// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshConfigName is the name of the one MeshConfig.
const MeshConfigName = "default"

// +genclient
// +genclient:nonNamespaced
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:supportsSubresource="/status"

// MeshConfig holds the settings of the whole mesh. There is one, named
// default; deleting it sets everything back to the defaults.
type MeshConfig struct {
	// +k8s:opaqueType
	metav1.TypeMeta `json:""`

	// metadata is the standard object metadata. The name is default, and
	// finalizers are refused.
	//
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec is what the user wants.
	//
	// +optional
	Spec MeshConfigSpec `json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"`

	// status is what the mesh has made of it.
	//
	// +optional
	Status MeshConfigStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshConfigList is a list of MeshConfigs.
type MeshConfigList struct {
	// +k8s:opaqueType
	metav1.TypeMeta `json:""`

	// metadata is the standard list metadata.
	//
	// +optional
	// +k8s:opaqueType
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items is the list of MeshConfigs.
	Items []MeshConfig `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// MeshConfigSpec holds the settings of the whole mesh. Whatever is left out
// gets its default.
type MeshConfigSpec struct {
	// traffic says which calls pass where no policy speaks.
	//
	// +optional
	Traffic TrafficConfig `json:"traffic,omitempty" protobuf:"bytes,1,opt,name=traffic"`

	// sidecar is how the proxies run. It acts on pods created afterwards.
	//
	// +optional
	Sidecar SidecarConfig `json:"sidecar,omitempty" protobuf:"bytes,2,opt,name=sidecar"`

	// certificate is how the identities of workloads are issued.
	//
	// +optional
	Certificate CertificateConfig `json:"certificate,omitempty" protobuf:"bytes,3,opt,name=certificate"`
}

// TrafficConfig says which calls pass where no policy speaks.
type TrafficConfig struct {
	// access is Open: a port that no Allow policy has closed takes calls from
	// everybody in the mesh; or DefaultDeny: it takes calls from nobody.
	// Default Open.
	//
	// +optional
	// +default="Open"
	// +k8s:optional
	Access AccessMode `json:"access,omitempty" protobuf:"bytes,1,opt,name=access,casttype=AccessMode"`

	// mtls is Strict: workloads take calls over mutual TLS alone; or Permissive:
	// they take plaintext as well, from callers that then have no identity.
	// Default Strict.
	//
	// +optional
	// +default="Strict"
	// +k8s:optional
	MTLS MTLSMode `json:"mtls,omitempty" protobuf:"bytes,2,opt,name=mtls,casttype=MTLSMode"`

	// unmeshed says whether meshed callers may reach, in plaintext, endpoints of
	// Services that belong to no pod of the mesh: Allow or Refuse. Default Allow.
	//
	// +optional
	// +default="Allow"
	// +k8s:optional
	Unmeshed UnmeshedMode `json:"unmeshed,omitempty" protobuf:"bytes,3,opt,name=unmeshed,casttype=UnmeshedMode"`

	// egress says what happens to a connection to an address that no Service
	// names: Passthrough or Refuse. Default Passthrough.
	//
	// +optional
	// +default="Passthrough"
	// +k8s:optional
	Egress EgressMode `json:"egress,omitempty" protobuf:"bytes,4,opt,name=egress,casttype=EgressMode"`

	// visibility says to whom the Services and pods of a namespace of the mesh
	// are visible whose annotation mesh.openservicemesh.io/visibility says
	// nothing else: Mesh, to all of it; or Namespace, to that namespace alone.
	// Proxies are sent only what they see, and refuse calls to the rest. Default
	// Mesh.
	//
	// +optional
	// +default="Mesh"
	// +k8s:optional
	Visibility VisibilityMode `json:"visibility,omitempty" protobuf:"bytes,8,opt,name=visibility,casttype=VisibilityMode"`

	// podsMayLoosen are the settings that annotations of a pod may make less
	// strict than its namespace has them: mtls, access. Without it they may
	// tighten alone. Default none.
	//
	// +optional
	// +listType=set
	// +k8s:optional
	// +k8s:listType=set
	// +k8s:maxItems=2
	PodsMayLoosen []TrafficAxis `json:"podsMayLoosen,omitempty" protobuf:"bytes,5,rep,name=podsMayLoosen,casttype=TrafficAxis"`

	// escapedSlashes says what becomes of a request to a workload whose path has
	// a slash or backslash in percent-encoding, which applications read
	// differently: Reject answers 400 where a rule of a policy names paths, and
	// leaves the path as it is elsewhere; Decode replaces it by the character
	// itself, for the application too, before any rule is looked at. Default Reject.
	//
	// +optional
	// +default="Reject"
	// +k8s:optional
	EscapedSlashes EscapedSlashes `json:"escapedSlashes,omitempty" protobuf:"bytes,6,opt,name=escapedSlashes,casttype=EscapedSlashes"`

	// minimumTLSVersion is the oldest TLS that workloads take calls by: TLSv1_3 or
	// TLSv1_2. Proxies of the mesh call by TLS 1.3 in any case. Default TLSv1_3.
	//
	// +optional
	// +default="TLSv1_3"
	// +k8s:optional
	MinimumTLSVersion TLSVersion `json:"minimumTLSVersion,omitempty" protobuf:"bytes,7,opt,name=minimumTLSVersion,casttype=TLSVersion"`
}

// TrafficAxis names a setting of traffic that annotations can change.
//
// +enum
// +k8s:enum
type TrafficAxis string

const (
	// TrafficAxisMTLS is traffic.mtls.
	TrafficAxisMTLS TrafficAxis = "mtls"
	// TrafficAxisAccess is traffic.access.
	TrafficAxisAccess TrafficAxis = "access"
)

// EscapedSlashes is the fate of a path with a slash in percent-encoding.
//
// +enum
// +k8s:enum
type EscapedSlashes string

const (
	// EscapedSlashesReject answers such a request with 400 where a rule names paths.
	EscapedSlashesReject EscapedSlashes = "Reject"
	// EscapedSlashesDecode replaces it by the character itself.
	EscapedSlashesDecode EscapedSlashes = "Decode"
)

// TLSVersion is a version of TLS.
//
// +enum
// +k8s:enum
type TLSVersion string

const (
	// TLSVersion12 is TLS 1.2 (RFC 5246).
	TLSVersion12 TLSVersion = "TLSv1_2"
	// TLSVersion13 is TLS 1.3 (RFC 8446).
	TLSVersion13 TLSVersion = "TLSv1_3"
)

// AccessMode is who may call a port that no Allow policy has closed.
//
// +enum
// +k8s:enum
type AccessMode string

const (
	// AccessOpen admits everybody in the mesh.
	AccessOpen AccessMode = "Open"
	// AccessDefaultDeny admits nobody.
	AccessDefaultDeny AccessMode = "DefaultDeny"
)

// MTLSMode is whether workloads take plaintext.
//
// +enum
// +k8s:enum
type MTLSMode string

const (
	// MTLSStrict takes mutual TLS alone.
	MTLSStrict MTLSMode = "Strict"
	// MTLSPermissive takes plaintext as well.
	MTLSPermissive MTLSMode = "Permissive"
)

// UnmeshedMode is whether meshed callers may reach endpoints outside the mesh.
//
// +enum
// +k8s:enum
type UnmeshedMode string

const (
	// UnmeshedAllow lets them, in plaintext.
	UnmeshedAllow UnmeshedMode = "Allow"
	// UnmeshedRefuse refuses the connection.
	UnmeshedRefuse UnmeshedMode = "Refuse"
)

// VisibilityMode is to whom a namespace is visible.
//
// +enum
// +k8s:enum
type VisibilityMode string

const (
	// VisibilityMesh is to the whole mesh.
	VisibilityMesh VisibilityMode = "Mesh"
	// VisibilityNamespace is to the namespace itself alone.
	VisibilityNamespace VisibilityMode = "Namespace"
)

// EgressMode is the fate of a connection to an address that no Service names.
//
// +enum
// +k8s:enum
type EgressMode string

const (
	// EgressPassthrough lets it through unchanged.
	EgressPassthrough EgressMode = "Passthrough"
	// EgressRefuse closes it.
	EgressRefuse EgressMode = "Refuse"
)

// SidecarConfig is how the proxies run.
type SidecarConfig struct {
	// image is the proxy's container image. Absent: the image that the server
	// was installed with.
	//
	// +optional
	// +k8s:optional
	// +k8s:maxLength=512
	Image string `json:"image,omitempty" protobuf:"bytes,1,opt,name=image"`

	// resources of the proxy's container. Default, if both lists are absent:
	// requests of 50m cpu and 96Mi memory, no limits.
	//
	// +optional
	Resources SidecarResources `json:"resources,omitempty" protobuf:"bytes,2,opt,name=resources"`

	// logLevel is Envoy's: trace, debug, info, warning, error, critical or off.
	// Default warning.
	//
	// +optional
	// +default="warning"
	// +k8s:optional
	LogLevel SidecarLogLevel `json:"logLevel,omitempty" protobuf:"bytes,3,opt,name=logLevel,casttype=SidecarLogLevel"`

	// concurrency is the number of the proxy's worker threads, 1 to 128.
	// Default 2.
	//
	// +optional
	// +default=2
	// +k8s:optional
	// +k8s:minimum=1
	// +k8s:maximum=128
	Concurrency *int32 `json:"concurrency,omitempty" protobuf:"varint,4,opt,name=concurrency"`

	// drainTime is how long the proxy takes to end the connections of a
	// listener or port that has been replaced, in whole seconds, 1s to 1h.
	// It is how long a refused TCP connection can live on. Default 30s.
	//
	// +optional
	// +k8s:opaqueType
	DrainTime *metav1.Duration `json:"drainTime,omitempty" protobuf:"bytes,5,opt,name=drainTime"`

	// terminationDrain is how long, at most, a proxy waits for active requests
	// when its pod ends, in whole seconds, 1s to 1h. The pod's
	// terminationGracePeriodSeconds bounds it. Default 25s.
	//
	// +optional
	// +k8s:opaqueType
	TerminationDrain *metav1.Duration `json:"terminationDrain,omitempty" protobuf:"bytes,6,opt,name=terminationDrain"`

	// preStopSleep is how long a container without a preStop hook of its own
	// goes on serving when its pod ends, so that its callers learn of the end
	// first. In whole seconds, 0s to 1h; 0s switches it off. At most half of the
	// pod's terminationGracePeriodSeconds is used. Default 5s.
	//
	// +optional
	// +k8s:opaqueType
	PreStopSleep *metav1.Duration `json:"preStopSleep,omitempty" protobuf:"bytes,7,opt,name=preStopSleep"`
}

// SidecarResources is what the proxy's container may use, as in a Pod.
type SidecarResources struct {
	// limits are the most that the container may use. At most 8.
	//
	// +optional
	// +k8s:optional
	// +k8s:maxProperties=8
	// +k8s:opaqueType
	Limits corev1.ResourceList `json:"limits,omitempty" protobuf:"bytes,1,rep,name=limits,casttype=k8s.io/api/core/v1.ResourceList,castkey=k8s.io/api/core/v1.ResourceName"`

	// requests are what is reserved for the container. At most 8.
	//
	// +optional
	// +k8s:optional
	// +k8s:maxProperties=8
	// +k8s:opaqueType
	Requests corev1.ResourceList `json:"requests,omitempty" protobuf:"bytes,2,rep,name=requests,casttype=k8s.io/api/core/v1.ResourceList,castkey=k8s.io/api/core/v1.ResourceName"`
}

// SidecarLogLevel is one of Envoy's log levels.
//
// +enum
// +k8s:enum
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
	// lifetime of a workload's certificate, in whole seconds, 1h to 2184h (91
	// days). Default 24h.
	//
	// +optional
	// +k8s:opaqueType
	Lifetime *metav1.Duration `json:"lifetime,omitempty" protobuf:"bytes,1,opt,name=lifetime"`

	// trustDomain is the SPIFFE trust domain of every identity. It cannot be
	// changed. Default cluster.local.
	//
	// +optional
	// +default="cluster.local"
	// +k8s:optional
	// +k8s:format=k8s-long-name
	TrustDomain string `json:"trustDomain,omitempty" protobuf:"bytes,2,opt,name=trustDomain"`
}

// MeshConfigStatus is what the mesh has made of its settings.
type MeshConfigStatus struct {
	// conditions are Accepted (the settings are in use).
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +k8s:optional
	// +k8s:listType=map
	// +k8s:listMapKey=type
	// +k8s:eachVal=+k8s:opaqueType
	// +k8s:maxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,1,rep,name=conditions"`
}
