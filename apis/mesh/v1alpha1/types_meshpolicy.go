// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:supportsSubresource="/status"

// MeshPolicy says who may call the workloads of its namespace. An Allow policy
// closes the ports of its target to all whom no Allow policy admits; a Deny
// policy beats every Allow. Nothing empty or absent ever admits anybody.
type MeshPolicy struct {
	// +k8s:opaqueType
	metav1.TypeMeta `json:""`

	// metadata is the standard object metadata.
	//
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec is what the user wants.
	//
	// +required
	Spec MeshPolicySpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`

	// status is what the mesh has made of it.
	//
	// +optional
	Status MeshPolicyStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshPolicyList is a list of MeshPolicies.
type MeshPolicyList struct {
	// +k8s:opaqueType
	metav1.TypeMeta `json:""`

	// metadata is the standard list metadata.
	//
	// +optional
	// +k8s:opaqueType
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items is the list of MeshPolicies.
	Items []MeshPolicy `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// MeshPolicySpec says which workloads are spoken of, and who may or may not
// call them. The target is targetRefs, or selector, or, with neither, every
// workload of the namespace.
type MeshPolicySpec struct {
	// targetRefs name the Services of this namespace whose pods are the target,
	// at the Service's target ports. Cannot be combined with selector. 1 to 16.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=16
	TargetRefs []PolicyTargetReference `json:"targetRefs,omitempty" protobuf:"bytes,1,rep,name=targetRefs"`

	// selector chooses the pods of this namespace that are the target, at every
	// port. An empty selector is refused: leave it out to mean the whole
	// namespace. Cannot be combined with targetRefs.
	//
	// +optional
	// +k8s:optional
	// +k8s:opaqueType
	Selector *metav1.LabelSelector `json:"selector,omitempty" protobuf:"bytes,2,opt,name=selector"`

	// action says what happens to a call that a rule matches: Allow admits it
	// and closes the target to everybody else, Deny refuses it.
	//
	// +required
	// +k8s:optional
	Action PolicyAction `json:"action" protobuf:"bytes,3,opt,name=action,casttype=PolicyAction"`

	// mode is Enforce: the policy decides about calls; or Audit: it changes no
	// verdict and closes nothing, and status and metrics say what would happen
	// were all Audit policies enforced. Default Enforce.
	//
	// +optional
	// +default="Enforce"
	// +k8s:optional
	Mode PolicyMode `json:"mode,omitempty" protobuf:"bytes,4,opt,name=mode,casttype=PolicyMode"`

	// onAnonymous says what an item of from that names identities is to a caller
	// without one, who calls in plaintext where mtls is Permissive: Match, it
	// matches every identity; or Ignore, it matches none. Deny only. A rule
	// without from, and items of ipBlocks alone, match such a caller in any case.
	// Default Match.
	//
	// +optional
	// +k8s:optional
	OnAnonymous *AnonymousHandling `json:"onAnonymous,omitempty" protobuf:"bytes,5,opt,name=onAnonymous,casttype=AnonymousHandling"`

	// rules are alternatives: a call that matches one of them is matched by the
	// policy. 1 to 64. Together they name at most 64 different ports, and hold
	// at most 4096 items in all lists of from and to, each item of from and to
	// among them; a regular expression counts as 16.
	//
	// +required
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=64
	Rules []PolicyRule `json:"rules" protobuf:"bytes,6,rep,name=rules"`
}

// PolicyTargetReference names a Service in the policy's own namespace.
type PolicyTargetReference struct {
	// group is the API group of the target: empty, the core group.
	//
	// +optional
	// +k8s:optional
	// +k8s:maxLength=253
	Group string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`

	// kind is the kind of the target: Service.
	//
	// +required
	// +k8s:required
	// +k8s:maxLength=63
	Kind string `json:"kind" protobuf:"bytes,2,opt,name=kind"`

	// name is the name of the target.
	//
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Name string `json:"name" protobuf:"bytes,3,opt,name=name"`
}

// PolicyAction is what happens to a call that a policy matches.
//
// +enum
// +k8s:enum
type PolicyAction string

const (
	// PolicyActionAllow admits a call, and closes the target to all others.
	PolicyActionAllow PolicyAction = "Allow"
	// PolicyActionDeny refuses a call, whatever any Allow says.
	PolicyActionDeny PolicyAction = "Deny"
)

// PolicyMode says whether a policy decides or only reports.
//
// +enum
// +k8s:enum
type PolicyMode string

const (
	// PolicyModeEnforce decides about calls.
	PolicyModeEnforce PolicyMode = "Enforce"
	// PolicyModeAudit reports what would happen, and changes no verdict.
	PolicyModeAudit PolicyMode = "Audit"
)

// AnonymousHandling says how a Deny treats callers without an identity.
//
// +enum
// +k8s:enum
type AnonymousHandling string

const (
	// AnonymousMatch takes such a caller for every identity: closed.
	AnonymousMatch AnonymousHandling = "Match"
	// AnonymousIgnore takes such a caller for nobody.
	AnonymousIgnore AnonymousHandling = "Ignore"
)

// PolicyRule matches a call if one item of from and one item of to match it.
type PolicyRule struct {
	// name is how status, refusals and metrics call this rule; without it they
	// use its index. Lower-case letters, digits and '-', not digits alone,
	// unique in the policy.
	//
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-short-name
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`

	// from are alternatives: who calls. Required in an Allow, where everybody
	// in the mesh is written [{authenticated: {}}]. Absent in a Deny it means
	// any caller. At most 32.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=32
	From []PolicySource `json:"from,omitempty" protobuf:"bytes,2,rep,name=from"`

	// to are alternatives: what is called. Required in an Allow, where
	// everything is written [{all: {}}]. Absent in a Deny it means every port
	// of the target. At most 32.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=32
	To []PolicyDestination `json:"to,omitempty" protobuf:"bytes,3,rep,name=to"`
}

// PolicySource is a set of callers. At least one field must be set; every
// field that is set must match, and within a list one item must.
type PolicySource struct {
	// serviceAccounts are accounts of this mesh. At most 64.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=64
	ServiceAccounts []ServiceAccountReference `json:"serviceAccounts,omitempty" protobuf:"bytes,1,rep,name=serviceAccounts"`

	// namespaces stand for every account of this mesh in them. At most 64.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=64
	// +k8s:eachVal=+k8s:format=k8s-short-name
	Namespaces []string `json:"namespaces,omitempty" protobuf:"bytes,2,rep,name=namespaces"`

	// principals are whole SPIFFE IDs, or end in "/*" and stand for every ID
	// that begins with what precedes the "*". At most 64.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=64
	// +k8s:eachVal=+k8s:maxBytes=2048
	Principals []string `json:"principals,omitempty" protobuf:"bytes,3,rep,name=principals"`

	// ipBlocks are compared with the address that the connection comes from,
	// never with a header. In an Allow the caller must have an identity as
	// well, unless anonymous is set beside them. At most 64.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=64
	IPBlocks []IPBlock `json:"ipBlocks,omitempty" protobuf:"bytes,4,rep,name=ipBlocks"`

	// authenticated stands for every caller with an identity of this mesh. Write {}.
	//
	// +optional
	// +k8s:optional
	Authenticated *Authenticated `json:"authenticated,omitempty" protobuf:"bytes,5,opt,name=authenticated"`

	// anonymous stands for callers without an identity, who call in plaintext
	// where mtls is Permissive. Only ipBlocks may be set beside it. Write {}.
	//
	// +optional
	// +k8s:optional
	Anonymous *Anonymous `json:"anonymous,omitempty" protobuf:"bytes,6,opt,name=anonymous"`
}

// ServiceAccountReference names a ServiceAccount.
type ServiceAccountReference struct {
	// namespace of the account. Default: the policy's own.
	//
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-short-name
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,1,opt,name=namespace"`

	// name of the account.
	//
	// +required
	// +k8s:required
	// +k8s:format=k8s-long-name
	Name string `json:"name" protobuf:"bytes,2,opt,name=name"`
}

// IPBlock is a range of addresses without some parts of it.
type IPBlock struct {
	// cidr is an IPv4 or IPv6 range in canonical form, such as 192.0.2.0/24 or
	// 2001:db8::/32.
	//
	// +required
	// +k8s:required
	// +k8s:maxLength=43
	CIDR string `json:"cidr" protobuf:"bytes,1,opt,name=cidr"`

	// except are ranges inside cidr that do not belong to it. At most 32.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=32
	// +k8s:eachVal=+k8s:maxLength=43
	Except []string `json:"except,omitempty" protobuf:"bytes,2,rep,name=except"`
}

// Authenticated stands for every caller with an identity of this mesh.
type Authenticated struct{}

// Anonymous stands for callers without an identity.
type Anonymous struct{}

// PolicyDestination is a set of calls to the target: all, or ports and at most
// one of http, grpc and tcp. At least one field must be set; every field that
// is set must match. Without http, grpc and tcp every protocol matches.
type PolicyDestination struct {
	// all stands for every call to the target. Write {}. It stands alone.
	//
	// +optional
	// +k8s:optional
	All *AllPorts `json:"all,omitempty" protobuf:"bytes,1,opt,name=all"`

	// ports are container ports of the target, by number or by name. A port
	// outside the target admits nothing. At most 32, and 64 different ones in
	// all rules together.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=32
	Ports []intstr.IntOrString `json:"ports,omitempty" protobuf:"bytes,2,rep,name=ports"`

	// http matches HTTP requests, gRPC calls included. In an Allow it never
	// matches a TCP connection; in a Deny, met by a TCP connection, it denies it.
	//
	// +optional
	// +k8s:optional
	HTTP *HTTPMatch `json:"http,omitempty" protobuf:"bytes,3,opt,name=http"`

	// grpc matches gRPC calls. TCP connections are treated as by http.
	//
	// +optional
	// +k8s:optional
	GRPC *GRPCMatch `json:"grpc,omitempty" protobuf:"bytes,4,opt,name=grpc"`

	// tcp matches connections that are not served as HTTP requests. Write {}.
	//
	// +optional
	// +k8s:optional
	TCP *TCPMatch `json:"tcp,omitempty" protobuf:"bytes,5,opt,name=tcp"`
}

// AllPorts stands for every call to the target.
type AllPorts struct{}

// MeshPolicyStatus is what the mesh has made of a policy.
type MeshPolicyStatus struct {
	// conditions are Accepted (the policy can be compiled, and all that it
	// names exists) and Programmed (every connected proxy that it affects has
	// acknowledged this generation).
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

	// proxies counts the proxies that the policy affects.
	//
	// +optional
	// +k8s:optional
	Proxies *ProxyCounts `json:"proxies,omitempty" protobuf:"bytes,2,opt,name=proxies"`

	// audit counts what an Audit policy would have done.
	//
	// +optional
	// +k8s:optional
	Audit *AuditCounts `json:"audit,omitempty" protobuf:"bytes,3,opt,name=audit"`
}

// AuditCounts counts requests, and connections that are not HTTP, since the
// server started.
type AuditCounts struct {
	// allowed is how many a rule of the policy, an Allow, would have admitted.
	//
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	Allowed int64 `json:"allowed" protobuf:"varint,1,opt,name=allowed"`

	// denied is how many would have been refused: by a rule of the policy, a
	// Deny, or because no Allow, this one in audit included, admits them.
	//
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	Denied int64 `json:"denied" protobuf:"varint,2,opt,name=denied"`
}

// ProxyCounts counts proxies, connected ones and others apart.
type ProxyCounts struct {
	// affected is the number of connected proxies that the object affects.
	//
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	Affected int32 `json:"affected" protobuf:"varint,1,opt,name=affected"`

	// acked is how many of them have acknowledged the observed generation.
	//
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	Acked int32 `json:"acked" protobuf:"varint,2,opt,name=acked"`

	// disconnected is the number of proxies of running pods that the object
	// affects and that have no connection to the control plane: they go on with
	// what they had. Nobody waits for them.
	//
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	Disconnected int32 `json:"disconnected" protobuf:"varint,3,opt,name=disconnected"`
}

const (
	// ConditionAccepted is true if the object can be compiled and everything
	// that it refers to exists.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs is true if everything that the object refers to
	// exists, and may be referred to. A kind without it tells so by Accepted.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionProgrammed is true if every connected proxy that the object
	// affects has acknowledged the observed generation.
	ConditionProgrammed = "Programmed"
	// ConditionDeniesAtFirstByte is there, and true, on a Deny that refuses callers
	// by who they are at a TCP port that no Allow closes, or whose Allow admits them
	// with others: it acts when they send their first byte, and until then they
	// hear a server that speaks first.
	ConditionDeniesAtFirstByte = "DeniesAtFirstByte"
)
