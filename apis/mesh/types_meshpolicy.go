// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshPolicy says who may call the workloads of its namespace. An Allow policy
// closes the ports of its target to all whom no Allow policy admits; a Deny
// policy beats every Allow. Nothing empty or absent ever admits anybody.
type MeshPolicy struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   MeshPolicySpec
	Status MeshPolicyStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshPolicyList is a list of MeshPolicies.
type MeshPolicyList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []MeshPolicy
}

// MeshPolicySpec says which workloads are spoken of, and who may or may not
// call them. The target is targetRefs, or selector, or, with neither, every
// workload of the namespace.
type MeshPolicySpec struct {
	TargetRefs  []PolicyTargetReference
	Selector    *metav1.LabelSelector
	Action      PolicyAction
	Mode        PolicyMode
	OnAnonymous *AnonymousHandling
	Rules       []PolicyRule
}

// PolicyTargetReference names a Service in the policy's own namespace.
type PolicyTargetReference struct {
	Group string
	Kind  string
	Name  string
}

// PolicyAction is what happens to a call that a policy matches.
type PolicyAction string

const (
	// PolicyActionAllow admits a call, and closes the target to all others.
	PolicyActionAllow PolicyAction = "Allow"
	// PolicyActionDeny refuses a call, whatever any Allow says.
	PolicyActionDeny PolicyAction = "Deny"
)

// PolicyMode says whether a policy decides or only reports.
type PolicyMode string

const (
	// PolicyModeEnforce decides about calls.
	PolicyModeEnforce PolicyMode = "Enforce"
	// PolicyModeAudit reports what would happen, and changes no verdict.
	PolicyModeAudit PolicyMode = "Audit"
)

// AnonymousHandling says how a Deny treats callers without an identity.
type AnonymousHandling string

const (
	// AnonymousMatch takes such a caller for every identity: closed.
	AnonymousMatch AnonymousHandling = "Match"
	// AnonymousIgnore takes such a caller for nobody.
	AnonymousIgnore AnonymousHandling = "Ignore"
)

// PolicyRule matches a call if one item of from and one item of to match it.
type PolicyRule struct {
	Name string
	From []PolicySource
	To   []PolicyDestination
}

// PolicySource is a set of callers. At least one field must be set; every
// field that is set must match, and within a list one item must.
type PolicySource struct {
	ServiceAccounts []ServiceAccountReference
	Namespaces      []string
	Principals      []string
	IPBlocks        []IPBlock
	Authenticated   *Authenticated
	Anonymous       *Anonymous
}

// ServiceAccountReference names a ServiceAccount.
type ServiceAccountReference struct {
	Namespace string
	Name      string
}

// IPBlock is a range of addresses without some parts of it.
type IPBlock struct {
	CIDR   string
	Except []string
}

// Authenticated stands for every caller with an identity of this mesh.
type Authenticated struct{}

// Anonymous stands for callers without an identity.
type Anonymous struct{}

// PolicyDestination is a set of calls to the target: all, or ports and at most
// one of http, grpc and tcp. At least one field must be set; every field that
// is set must match. Without http, grpc and tcp every protocol matches.
type PolicyDestination struct {
	All   *AllPorts
	Ports []intstr.IntOrString
	HTTP  *HTTPMatch
	GRPC  *GRPCMatch
	TCP   *TCPMatch
}

// AllPorts stands for every call to the target.
type AllPorts struct{}

// HTTPMatch is a set of HTTP requests. At least one field must be set; every
// field that is set must match.
type HTTPMatch struct {
	Methods []string
	Paths   []PathMatch
	Headers []HeaderMatch
	Hosts   []string
}

// PathMatchType is how a path is compared.
type PathMatchType string

const (
	// PathMatchExact compares the whole path.
	PathMatchExact PathMatchType = "Exact"
	// PathMatchPathPrefix compares whole elements: /books is /books and /books/…,
	// never /books-admin.
	PathMatchPathPrefix PathMatchType = "PathPrefix"
	// PathMatchRegularExpression is RE2 on the whole path.
	PathMatchRegularExpression PathMatchType = "RegularExpression"
)

// PathMatch compares the path of a request, without its query. Where a rule
// names paths, a request whose path is not in normal form (RFC 3986, 6.2.2) is
// answered 400.
type PathMatch struct {
	Type  PathMatchType
	Value string
}

// HeaderMatchType is how a header's value is compared.
type HeaderMatchType string

const (
	// HeaderMatchExact compares the whole value.
	HeaderMatchExact HeaderMatchType = "Exact"
	// HeaderMatchRegularExpression is RE2 on the whole value.
	HeaderMatchRegularExpression HeaderMatchType = "RegularExpression"
)

// HeaderMatch compares a header of a request.
type HeaderMatch struct {
	Type  HeaderMatchType
	Name  string
	Value string
}

// GRPCMatch is a set of gRPC calls.
type GRPCMatch struct {
	Methods []GRPCMethodMatch
}

// GRPCMethodMatch names gRPC methods. At least one field must be set.
type GRPCMethodMatch struct {
	Service string
	Method  string
}

// TCPMatch stands for connections that are not served as HTTP requests.
type TCPMatch struct{}

// MeshPolicyStatus is what the mesh has made of a policy.
type MeshPolicyStatus struct {
	Conditions []metav1.Condition
	Proxies    *ProxyCounts
	Audit      *AuditCounts
}

// AuditCounts counts what an Audit policy would have done.
type AuditCounts struct {
	Allowed int64
	Denied  int64
}

// ProxyCounts counts proxies, connected ones and others apart.
type ProxyCounts struct {
	Affected     int32
	Acked        int32
	Disconnected int32
}

const (
	// ConditionAccepted is true if the object can be compiled and everything
	// that it refers to exists.
	ConditionAccepted = "Accepted"
	// ConditionProgrammed is true if every connected proxy that the object
	// affects has acknowledged the observed generation.
	ConditionProgrammed = "Programmed"
)
