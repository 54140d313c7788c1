// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// BenchmarkFlood has a tenant with 1,000 policies, half of them Deny, each for all
// 100 workloads of his namespace, and one with a policy and a workload. The cost
// of an edit is to be in proportion to what it affects: of the flood's policies
// all its workloads with all their rules, of a workload that one, of the
// neighbour's nothing else; and no step is long, so that neighbours do not wait.
func BenchmarkFlood(b *testing.B) {
	const policies, workloads = 1000, 100
	e := newTestEngine()
	e.setRoots([]byte("-----BEGIN CERTIFICATE-----\nMIIBgDCC\n-----END CERTIFICATE-----\n"))
	for i := range workloads {
		e.World.SetPod(meshedPod(i))
	}
	for i := range policies {
		worldtest.Set(e.World, floodPolicy(i, 1))
	}
	neighbour := meshedPod(workloads)
	neighbour.Namespace = "neighbour"
	e.World.SetPod(neighbour)
	e.step(b.Context())
	for _, c := range []struct {
		name    string
		change  func(generation int)
		reports int
	}{
		{"edit of a policy", func(n int) { worldtest.Set(e.World, floodPolicy(policies/2, int64(n))) }, 1},
		{"port of a workload", func(n int) {
			pod := meshedPod(0)
			pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: int32(9000 + n%2)})
			e.World.SetPod(pod)
		}, policies},
		{"edit of the neighbour's policy", func(n int) {
			policy := policyFor(workloads, int64(n))
			policy.Namespace = "neighbour"
			worldtest.Set(e.World, policy)
		}, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			generation, longest := 1, time.Duration(0)
			for b.Loop() {
				generation++
				c.change(generation)
				told := 0
				for more := true; more; more = e.Waits() {
					start := time.Now()
					told += len(reports(e.step(b.Context())))
					longest = max(longest, time.Since(start))
				}
				if told != c.reports {
					b.Fatalf("%d policies were reported on, want %d", told, c.reports)
				}
			}
			b.ReportMetric(float64(longest.Milliseconds()), "ms/longest-step")
		})
	}
	b.Run("everything", func(b *testing.B) {
		for b.Loop() {
			e.TouchAll()
			e.step(b.Context())
		}
	})
}

// floodPolicy is for the whole namespace.
func floodPolicy(i int, generation int64) *v1alpha1.MeshPolicy {
	policy := policyFor(i, generation)
	policy.Spec.Selector = nil
	policy.ObjectMeta = metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("flood-", i), UID: policy.UID, Generation: generation}
	if i%2 == 1 {
		policy.Spec.Action = v1alpha1.PolicyActionDeny
	}
	return policy
}
