// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"
	"time"
)

// ProxyID names a proxy by the pod it lives in. It is the string of the
// certificate's extension and of Envoy's --service-node.
type ProxyID struct {
	Namespace, Pod, UID string
}

// String gives "namespace/pod/uid".
func (p ProxyID) String() string { return p.Namespace + "/" + p.Pod + "/" + p.UID }

// ParseProxyID reads what String has written.
func ParseProxyID(text string) ProxyID {
	namespace, rest, _ := strings.Cut(text, "/")
	pod, uid, _ := strings.Cut(rest, "/")
	return ProxyID{namespace, pod, uid}
}

// Proxy is one pod of the mesh that runs a sidecar.
type Proxy struct {
	ID             ProxyID
	ServiceAccount string
	// Views are those whose resources it is sent, the most specific first: of what
	// several of them have under one name it is sent that of the first. A sidecar has
	// the view of its Workload, those that it shares with some, and "", which is the
	// whole mesh's. It is never empty, and has each view once.
	Views []string
}

// Own is the most specific of the proxy's views: of a sidecar, that of the Workload
// which its pod is an instance of.
func (p Proxy) Own() string { return p.Views[0] }

// Workload is the inbound side of all pods that cannot be told apart by
// anything that the mesh reads: same namespace, account, labels and ports.
type Workload struct {
	// View is a hash of exactly those properties, never of policies: a policy
	// edit changes the contents of a view, not its name. 32 lower-case hex digits.
	View string
	// Family is the View of the same pods without what their own annotations say.
	// Resources of ports are named by it, so that a pod whose annotation changes
	// keeps those that stay the same. Empty: the View itself.
	Family string
	// Namespace of the pods.
	Namespace string
	// CertificateLifetime is the longest life of the pods' certificates, where
	// that is bounded by the pods and not by Mesh alone; 0 if it is not.
	CertificateLifetime time.Duration
	// Ports are sorted by number; the last one, number 0, stands for every port
	// that is not listed.
	Ports []InboundPort
}

// InboundPort is one container port of a Workload.
type InboundPort struct {
	// Number is the container port; 0 means every port that has no entry.
	Number uint16
	// Protocol is what Services declare for this port, and what the application
	// is spoken to in, whatever the caller's proxy says that it carries; "" is
	// TCP. On a port of HTTP, calls that arrive as HTTP (by ALPN, or in plaintext)
	// are served as requests. Calls that arrive as TCP by ALPN are served as
	// connections on every port.
	Protocol Protocol
	// Permissive is true if the port takes plaintext beside mutual TLS.
	Permissive bool
	// ServerFirst is true of a Permissive port whose pod has declared that the
	// application speaks first: nothing is waited for, and so mutual TLS is not
	// recognised there.
	ServerFirst bool
	// PodAccess is the access mode that an annotation of the pods has given the
	// port, "" if it is that of their namespace.
	PodAccess AccessMode
	Access    Access
}

// AccessMode is who may call a port that no Allow policy has closed.
type AccessMode string

// The two modes of traffic.access.
const (
	AccessOpen        AccessMode = "Open"
	AccessDefaultDeny AccessMode = "DefaultDeny"
)

// Access is who may call one inbound port. Deny is looked at first.
type Access struct {
	// Closed is true if only what Allow admits may pass. It is set by an Allow
	// policy that has this port as target, and by access DefaultDeny. A closed
	// port with no Allow rules admits nobody.
	Closed bool
	// ClosedBy is what closed it, for whoever reads a refusal: the Allow policies,
	// as "<namespace>/<name>", sorted, AccessDefaultDeny, or "not-compiled".
	ClosedBy []string
	// Deny and Allow keep the order in which they are to be reported: by
	// policy name, then rule index.
	Deny, Allow []Rule
	// Audit is what would be decided beside the above were all Audit policies
	// enforced; nil if none has this port as target. It changes no verdict.
	Audit *Audit
}

// Audit are the rules of the Audit policies of one inbound port.
type Audit struct {
	// Closed is true if only what Allow admits would pass.
	Closed bool
	// Deny are the audited rules alone. Allow are all that would admit, those of
	// Access among them. Both in the order of Access.
	Deny, Allow []Rule
	// DenyPolicies and AllowPolicies are the Audit policies that have the port as
	// target, as "<namespace>/<name>", sorted.
	DenyPolicies, AllowPolicies []string
}

// Rule is one rule of a policy as it applies to one inbound port: the ports of
// its "to" are resolved, what remains is who and which requests.
type Rule struct {
	// Name is "<namespace>/<policy>/<rule>", the rule being its name or index.
	Name string
	// From are alternatives. Empty means any caller; that happens in Deny only.
	From []Source
	// To are alternatives, never empty.
	To []Match
}

// Source is a caller; every field that is set must match.
type Source struct {
	// Principals are alternatives. Empty: the identity is not looked at, which
	// in an Allow still demands one (see Authenticated).
	Principals []Principal
	// Authenticated demands any identity of the mesh. It is always true in an
	// Allow, unless Anonymous is.
	Authenticated bool
	// Anonymous demands that the caller has no identity.
	Anonymous bool
	// OrAnonymous lets a caller without an identity pass for whoever Principals
	// and Authenticated demand. It happens in Deny only.
	OrAnonymous bool
	// IPBlocks are alternatives, matched on the peer's own address. Empty: not looked at.
	IPBlocks []IPBlock
}

// Principal matches a caller's SPIFFE ID, either whole or by prefix.
type Principal struct {
	// ID is a whole SPIFFE ID, or, if Prefix is true, one up to and including a "/".
	ID     string
	Prefix bool
}

// IPBlock is a CIDR without some parts of it, all in canonical form.
type IPBlock struct {
	CIDR   string
	Except []string
}

// MatchKind is the protocol that a Match speaks of.
type MatchKind string

// The kinds of Match. MatchAny matches every call of every protocol.
const (
	MatchAny  MatchKind = "Any"
	MatchHTTP MatchKind = "HTTP"
	MatchGRPC MatchKind = "gRPC"
	MatchTCP  MatchKind = "TCP"
)

// Match is a set of calls; every field that is set must match. In an Allow an
// HTTP or gRPC match never matches a TCP connection; in a Deny it denies it.
type Match struct {
	Kind MatchKind
	// The next four are used by MatchHTTP; each is a list of alternatives but
	// Headers, all of which must match. Empty: not looked at.
	Methods []string
	Paths   []PathMatch
	Headers []HeaderMatch
	// Hosts are lower-case, without port; "*.example.com" matches one or more labels.
	Hosts []string
	// GRPCMethods are alternatives, used by MatchGRPC. Empty: every gRPC call.
	GRPCMethods []GRPCMethod
}

// ValueMatch is how a string is compared.
type ValueMatch string

// The comparisons, with Gateway API's meanings.
const (
	// ValueExact compares the whole value.
	ValueExact ValueMatch = "Exact"
	// ValuePathPrefix compares whole path elements: /books is /books and /books/…
	ValuePathPrefix ValueMatch = "PathPrefix"
	// ValueRegularExpression is RE2 on the whole value.
	ValueRegularExpression ValueMatch = "RegularExpression"
)

// PathMatch compares a path in normal form, without its query.
type PathMatch struct {
	Type  ValueMatch
	Value string
}

// HeaderMatch compares a header. Name is lower-case.
type HeaderMatch struct {
	Type  ValueMatch
	Name  string
	Value string
}

// GRPCMethod names a method; an empty field matches all.
type GRPCMethod struct {
	Service, Method string
}
