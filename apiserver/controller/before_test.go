// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// No route leads to a cluster that the proxies are sent in a later step.
func TestNoRouteNamesAClusterThatWaits(t *testing.T) {
	t.Skip("not so yet: where a step leaves Services to the next one, a parent may be made before its backend")
	e := newTestEngine()
	e.setRoots(testRoots)
	e.StepBytes = 1
	svc := func(name, ip string, ports ...int32) {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)}}
		s.Spec.ClusterIPs = []string{ip}
		for _, p := range ports {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: fmt.Sprint("http-", p), Port: p})
		}
		e.World.SetService(s)
	}
	svc("a", "198.19.0.1", 80)
	svc("b", "198.19.0.2", 80)
	r := &v1alpha1.MeshRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "r", UID: "r", Generation: 1}}
	r.Spec.ParentRefs = []v1alpha1.RouteParentReference{{Kind: "Service", Name: "a"}}
	r.Spec.HTTP = []v1alpha1.HTTPRouteRule{{BackendRefs: []v1alpha1.HTTPBackendReference{{Kind: "Service", Name: "b", Port: 81}}}}
	worldtest.Set(e.World, r)
	e.step(t.Context())
	svc("b", "198.19.0.2", 80, 81)
	for range 5 {
		out := e.step(t.Context())
		for _, s := range out.Set {
			if strings.Contains(s.TypeURL, "RouteConfiguration") && strings.HasPrefix(s.Name, "out/shop/a:") && strings.Contains(string(s.Body.Value), "out/shop/b:81") {
				there := false
				for key := range e.versions {
					there = there || strings.Contains(key.TypeURL, "Cluster") && !strings.Contains(key.TypeURL, "Load") && key.Name == "out/shop/b:81"
				}
				if !there {
					t.Error("the route leads to a cluster that is not there yet")
				}
				return
			}
		}
	}
	t.Error("no route")
}
