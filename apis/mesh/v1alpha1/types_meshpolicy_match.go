// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// HTTPMatch is a set of HTTP requests. At least one field must be set; every
// field that is set must match.
type HTTPMatch struct {
	// methods are alternatives, in upper case. At most 16.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=16
	// +k8s:eachVal=+k8s:maxLength=32
	Methods []string `json:"methods,omitempty" protobuf:"bytes,1,rep,name=methods"`

	// paths are alternatives. At most 32.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=32
	Paths []PathMatch `json:"paths,omitempty" protobuf:"bytes,2,rep,name=paths"`

	// headers must all match. At most 16.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=16
	Headers []HeaderMatch `json:"headers,omitempty" protobuf:"bytes,3,rep,name=headers"`

	// hosts are alternatives, compared with the request's host without its
	// port, ignoring case. A first label "*" stands for one or more labels.
	// At most 32.
	//
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=32
	// +k8s:eachVal=+k8s:maxLength=253
	Hosts []string `json:"hosts,omitempty" protobuf:"bytes,4,rep,name=hosts"`
}

// PathMatchType is how a path is compared.
//
// +enum
// +k8s:enum
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
	// type is how value is compared: Exact, PathPrefix (by whole elements) or
	// RegularExpression (RE2, on the whole path). Default PathPrefix.
	//
	// +optional
	// +default="PathPrefix"
	// +k8s:optional
	Type PathMatchType `json:"type,omitempty" protobuf:"bytes,1,opt,name=type,casttype=PathMatchType"`

	// value is the path, beginning with "/", or the regular expression, which
	// counts as 16 of the 4096 items that rules may hold. At most 1024 bytes.
	//
	// +required
	// +k8s:required
	// +k8s:maxBytes=1024
	Value string `json:"value" protobuf:"bytes,2,opt,name=value"`
}

// HeaderMatchType is how a header's value is compared.
//
// +enum
// +k8s:enum
type HeaderMatchType string

const (
	// HeaderMatchExact compares the whole value.
	HeaderMatchExact HeaderMatchType = "Exact"
	// HeaderMatchRegularExpression is RE2 on the whole value.
	HeaderMatchRegularExpression HeaderMatchType = "RegularExpression"
)

// HeaderMatch compares a header of a request.
type HeaderMatch struct {
	// type is how value is compared: Exact or RegularExpression (RE2, on the
	// whole value). Default Exact.
	//
	// +optional
	// +default="Exact"
	// +k8s:optional
	Type HeaderMatchType `json:"type,omitempty" protobuf:"bytes,1,opt,name=type,casttype=HeaderMatchType"`

	// name of the header, ignoring case.
	//
	// +required
	// +k8s:required
	// +k8s:maxLength=256
	Name string `json:"name" protobuf:"bytes,2,opt,name=name"`

	// value is the header's value, or the regular expression, which counts as
	// 16 of the 4096 items that rules may hold. At most 4096 bytes.
	//
	// +required
	// +k8s:required
	// +k8s:maxBytes=4096
	Value string `json:"value" protobuf:"bytes,3,opt,name=value"`
}

// GRPCMatch is a set of gRPC calls.
type GRPCMatch struct {
	// methods are alternatives. Every call is written with http:
	// {paths: [{value: "/"}]}. 1 to 32.
	//
	// +required
	// +listType=atomic
	// +k8s:required
	// +k8s:listType=atomic
	// +k8s:maxItems=32
	Methods []GRPCMethodMatch `json:"methods" protobuf:"bytes,1,rep,name=methods"`
}

// GRPCMethodMatch names gRPC methods. At least one field must be set.
type GRPCMethodMatch struct {
	// service is the full name, with its package: "example.v1.Greeter". Absent:
	// every service.
	//
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Service string `json:"service,omitempty" protobuf:"bytes,1,opt,name=service"`

	// method is the method's name: "SayHello". Absent: every method of service.
	//
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Method string `json:"method,omitempty" protobuf:"bytes,2,opt,name=method"`
}

// TCPMatch stands for connections that are not served as HTTP requests.
type TCPMatch struct{}
