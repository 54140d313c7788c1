// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// BenchmarkRoutesOfOneService is a step when many MeshRoutes have one Service as parent: an
// edit of one of them, and a change of an endpoint.
func BenchmarkRoutesOfOneService(b *testing.B) {
	for _, routes := range []int{100, 1000, 10000} {
		e := newTestEngine()
		e.setRoots(testRoots)
		e.World.SetService(floodService("shop", 0, 80))
		e.World.SetSlice(sliceAt(0))
		for i := range routes {
			worldtest.Set(e.World, routeOfOne(i, 1))
		}
		e.step(b.Context())
		b.Run(fmt.Sprint("edit/", routes), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				worldtest.Set(e.World, routeOfOne(0, 2+i))
				e.step(b.Context())
			}
		})
		b.Run(fmt.Sprint("endpoint/", routes), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				e.World.SetSlice(sliceAt(1 + i))
				e.step(b.Context())
			}
		})
	}
}

func routeOfOne(i, generation int) *v1alpha1.MeshRoute {
	r := &v1alpha1.MeshRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("route-", i), UID: types.UID(fmt.Sprint(i)), Generation: int64(generation)}}
	r.Spec.ParentRefs = []v1alpha1.RouteParentReference{{Kind: "Service", Name: "s0"}}
	r.Spec.HTTP = []v1alpha1.HTTPRouteRule{{BackendRefs: []v1alpha1.HTTPBackendReference{{Kind: "Service", Name: "s0", Port: 80, Weight: ptr.To(int32(1 + generation%100))}}}}
	return r
}

func sliceAt(i int) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "s0", Labels: map[string]string{discoveryv1.LabelServiceName: "s0"}}, AddressType: discoveryv1.AddressTypeIPv4}
	s.Ports = []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](80)}}
	s.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{fmt.Sprintf("198.18.0.%d", 1+i%200)}}}
	return s
}
