// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:supportsSubresource="/status"

// MeshRoute says where HTTP requests to Services of its namespace go: to which
// backends, and with which weights.
type MeshRoute struct {
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
	Spec MeshRouteSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`

	// status is what the mesh has made of it.
	//
	// +optional
	Status MeshRouteStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshRouteList is a list of MeshRoutes.
type MeshRouteList struct {
	// +k8s:opaqueType
	metav1.TypeMeta `json:""`

	// metadata is the standard list metadata.
	//
	// +optional
	// +k8s:opaqueType
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items is the list of MeshRoutes.
	Items []MeshRoute `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// MeshRouteSpec says which requests are routed, and how.
type MeshRouteSpec struct {
	// parentRefs name the Services of this namespace to which the routed
	// requests are sent. 1 to 16, each once.
	//
	// +required
	// +listType=atomic
	// +k8s:required
	// +k8s:listType=atomic
	// +k8s:maxItems=16
	ParentRefs []RouteParentReference `json:"parentRefs" protobuf:"bytes,1,rep,name=parentRefs"`

	// http are the rules for HTTP requests, gRPC calls included. The first that
	// matches a request routes it. 1 to 16.
	//
	// +required
	// +listType=atomic
	// +k8s:required
	// +k8s:listType=atomic
	// +k8s:maxItems=16
	HTTP []HTTPRouteRule `json:"http" protobuf:"bytes,2,rep,name=http"`
}

// RouteParentReference names a Service in the route's own namespace, to which
// requests are sent.
type RouteParentReference struct {
	// group is the API group of the parent: empty, the core group.
	//
	// +optional
	// +k8s:optional
	// +k8s:maxLength=253
	Group string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`

	// kind is the kind of the parent: Service.
	//
	// +required
	// +k8s:required
	// +k8s:maxLength=63
	Kind string `json:"kind" protobuf:"bytes,2,opt,name=kind"`

	// name is the name of the parent.
	//
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Name string `json:"name" protobuf:"bytes,3,opt,name=name"`

	// port is a port of the Service. Absent: all its ports.
	//
	// +optional
	// +k8s:optional
	// +k8s:minimum=1
	// +k8s:maximum=65535
	Port *int32 `json:"port,omitempty" protobuf:"varint,4,opt,name=port"`
}

// HTTPRouteRule says where requests go. It matches every request.
type HTTPRouteRule struct {
	// name is how status calls this rule; without it status uses its index.
	// Lower-case letters, digits and '-', not digits alone, unique in the route.
	//
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-short-name
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`

	// backendRefs are where the requests go, each backend in proportion to its
	// weight. 1 to 16, each once. If all weights are 0 requests are answered
	// with status 500.
	//
	// +required
	// +listType=atomic
	// +k8s:required
	// +k8s:listType=atomic
	// +k8s:maxItems=16
	BackendRefs []HTTPBackendReference `json:"backendRefs" protobuf:"bytes,2,rep,name=backendRefs"`
}

// HTTPBackendReference names a port of a Service in the route's own namespace,
// and its share of the requests.
type HTTPBackendReference struct {
	// group is the API group of the backend: empty, the core group.
	//
	// +optional
	// +k8s:optional
	// +k8s:maxLength=253
	Group string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`

	// kind is the kind of the backend: Service. Default Service.
	//
	// +optional
	// +default="Service"
	// +k8s:optional
	// +k8s:maxLength=63
	Kind string `json:"kind,omitempty" protobuf:"bytes,2,opt,name=kind"`

	// name is the name of the backend.
	//
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Name string `json:"name" protobuf:"bytes,3,opt,name=name"`

	// port is the port of the Service.
	//
	// +required
	// +k8s:required
	// +k8s:minimum=1
	// +k8s:maximum=65535
	Port int32 `json:"port" protobuf:"varint,4,opt,name=port"`

	// weight is the backend's share: this, of the sum of all weights of the rule.
	// 0 sends it nothing. At most 1000000. Default 1.
	//
	// +optional
	// +default=1
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:maximum=1000000
	Weight *int32 `json:"weight,omitempty" protobuf:"varint,5,opt,name=weight"`
}

// MeshRouteStatus is what the mesh has made of a route.
type MeshRouteStatus struct {
	// conditions are Accepted (its parents are routed by it), ResolvedRefs (its
	// backends can be called) and Programmed (every connected proxy that it affects
	// has acknowledged this generation).
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

	// proxies counts the proxies that the route affects.
	//
	// +optional
	// +k8s:optional
	Proxies *ProxyCounts `json:"proxies,omitempty" protobuf:"bytes,2,opt,name=proxies"`
}
