// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// BenchmarkServiceChange changes one of many Services: its endpoints, or a port
// that every caller has a listener for. It reports the time of a step, and the
// bytes of what it would send to one proxy that subscribes to all of it.
func BenchmarkServiceChange(b *testing.B) {
	for _, services := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprintf("endpoint/%d", services), func(b *testing.B) {
			e := withServices(b, services)
			benchmarkChange(b, e, func(i int) { e.World.SetSlice(manySlice(0, 1+i%2)) })
		})
		b.Run(fmt.Sprintf("port/%d", services), func(b *testing.B) {
			e := withServices(b, services)
			benchmarkChange(b, e, func(i int) { e.World.SetService(manyService(0, int32(9000+i%2))) })
		})
	}
}

func benchmarkChange(b *testing.B, e *testEngine, change func(i int)) {
	var sent, i int
	for b.Loop() {
		change(i)
		i++
		out := e.step(b.Context())
		if len(out.Set) == 0 {
			b.Fatal("the change changed nothing")
		}
		for _, r := range out.Set {
			sent += len(r.Body.Value)
		}
	}
	b.ReportMetric(float64(sent)/float64(b.N), "sent-B/op")
}

func withServices(b *testing.B, services int) *testEngine {
	b.Helper()
	e := newTestEngine()
	e.setRoots(testRoots)
	for i := range services {
		e.World.SetService(manyService(i, 8080))
		e.World.SetSlice(manySlice(i, 2))
	}
	e.step(b.Context())
	return e
}

func manyService(i int, port int32) *corev1.Service {
	ip := fmt.Sprintf("198.19.%d.%d", 1+i/250, 1+i%250)
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "many", Name: fmt.Sprint("service-", i)},
		Spec: corev1.ServiceSpec{
			ClusterIP: ip, ClusterIPs: []string{ip}, Selector: map[string]string{"app": fmt.Sprint(i)},
			Ports: []corev1.ServicePort{{Name: "http", Port: port, TargetPort: intstr.FromInt32(8080)}},
		},
	}
}

func manySlice(i, endpoints int) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "many", Name: fmt.Sprint("service-", i),
			Labels: map[string]string{discoveryv1.LabelServiceName: fmt.Sprint("service-", i)},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To(int32(8080)), Protocol: ptr.To(corev1.ProtocolTCP)}},
	}
	for n := range endpoints {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("198.18.%d.%d", i/100, 1+2*(i%100)+n)},
		})
	}
	return slice
}
