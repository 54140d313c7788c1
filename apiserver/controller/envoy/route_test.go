// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"slices"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
)

// BenchmarkRoutesOfAService reports the bytes of a Service port's routes, and those of
// them that sending requests again takes: all of it, and what GET and its like add.
func BenchmarkRoutesOfAService(b *testing.B) {
	var r Resource
	for b.Loop() {
		var err error
		if r, err = routesTo("out/bookstore/bookstore:80"); err != nil {
			b.Fatal(err)
		}
	}
	routes := &routev3.RouteConfiguration{}
	if err := r.Body.UnmarshalTo(routes); err != nil {
		b.Fatal(err)
	}
	all, host := proto.Size(routes), routes.VirtualHosts[0]
	host.Routes = slices.DeleteFunc(host.Routes, func(r *routev3.Route) bool { return r.Name == "idempotent" })
	unseen := proto.Size(routes)
	host.RetryPolicy = nil
	b.ReportMetric(float64(all), "B")
	b.ReportMetric(float64(all-proto.Size(routes)), "retry-B")
	b.ReportMetric(float64(all-unseen), "idempotent-B")
}
