// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshRoute says where HTTP requests to Services of its namespace go: to which
// backends, and with which weights.
type MeshRoute struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   MeshRouteSpec
	Status MeshRouteStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MeshRouteList is a list of MeshRoutes.
type MeshRouteList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []MeshRoute
}

// MeshRouteSpec says which requests are routed, and how.
type MeshRouteSpec struct {
	ParentRefs []RouteParentReference
	HTTP       []HTTPRouteRule
}

// RouteParentReference names a Service in the route's own namespace, to which
// requests are sent. Without Port it means all its ports.
type RouteParentReference struct {
	Group string
	Kind  string
	Name  string
	Port  *int32
}

// HTTPRouteRule says where requests go. It matches every request.
type HTTPRouteRule struct {
	Name        string
	BackendRefs []HTTPBackendReference
}

// HTTPBackendReference names a port of a Service in the route's own namespace,
// and its share of the requests.
type HTTPBackendReference struct {
	Group  string
	Kind   string
	Name   string
	Port   int32
	Weight *int32
}

// MeshRouteStatus is what the mesh has made of a route.
type MeshRouteStatus struct {
	Conditions []metav1.Condition
	Proxies    *ProxyCounts
}
