// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// hugePolicy has as many callers as the API takes, for workload 0 alone; none of
// them is there, which is not to hide what is worse.
func hugePolicy(mode v1alpha1.PolicyMode, generation int64) *v1alpha1.MeshPolicy {
	policy := policyFor(0, generation)
	policy.Name, policy.UID, policy.Spec.Mode = "huge", "huge", mode
	var accounts []v1alpha1.ServiceAccountReference
	for i := range 4000 {
		accounts = append(accounts, v1alpha1.ServiceAccountReference{Namespace: "some-long-name-of-a-namespace", Name: fmt.Sprint("account-", i)})
	}
	policy.Spec.Rules[0].From = []v1alpha1.PolicySource{{ServiceAccounts: accounts}}
	return policy
}

// What exceeds the 8 MiB of rules that a workload may have denies, and says so in
// status; its neighbours in the namespace and beside it do not notice, and it
// costs the step nothing to encode.
func TestAWorkloadWithTooManyRulesAdmitsNobodyAndHurtsNoOther(t *testing.T) {
	e := newTestEngine()
	e.setRoots(testRoots)
	large := meshedPod(0)
	for i := range 30 {
		large.Spec.Containers[0].Ports = append(large.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: int32(9000 + i)})
	}
	e.World.SetPod(large)
	e.World.SetPod(meshedPod(1))
	neighbour := meshedPod(2)
	neighbour.Namespace = "neighbour"
	e.World.SetPod(neighbour)
	e.step(t.Context())
	view := viewOf(t, e.World, "app-0")
	open, others := len(e.units[workload.ID(view)]), othersThan(view, e)
	origin := meshpolicy.Reference(world.Key{Namespace: "shop", Name: "huge"})
	for _, c := range []struct {
		name   string
		change func()
		closed bool
		says   string
	}{
		{"too much", func() { worldtest.Set(e.World, hugePolicy(v1alpha1.PolicyModeEnforce, 1)) }, true, "more than 8 MiB of rules at all their ports: they admit no caller, or leave policies in audit out; shop/huge has most of them"},
		{"less", func() {
			small := policyFor(0, 2)
			small.Name, small.UID = "huge", "huge"
			worldtest.Set(e.World, small)
		}, false, "in force as it is written"},
		{"too much in audit", func() { worldtest.Set(e.World, hugePolicy(v1alpha1.PolicyModeAudit, 3)) }, false, "more than 8 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.change()
			report := reports(e.step(t.Context()))[origin]
			if report == nil || !strings.Contains(report.Accepted.Message, c.says) {
				t.Errorf("the report is %+v, want one that says %q", report, c.says)
			}
			if w, _, _ := compile.Workload(e.World.Reader(), view); (len(w.Ports) == 1 && w.Ports[0].Access.Closed && len(w.Ports[0].Access.Allow) == 0) != c.closed {
				t.Errorf("the workload has %d ports, want it closed: %v", len(w.Ports), c.closed)
			}
			if got := len(e.units[workload.ID(view)]); (got < open) != c.closed {
				t.Errorf("the workload has %d resources, %d when it is open", got, open)
			}
			if e.Spent() > e.StepBytes {
				t.Errorf("the step has encoded %d bytes", e.Spent())
			}
			if !maps.Equal(othersThan(view, e), others) {
				t.Error("a neighbour's resources differ")
			}
		})
	}
}

// othersThan are the versions of all resources but a view's own.
func othersThan(view string, e *testEngine) map[envoy.Key]string {
	out := maps.Clone(e.versions)
	maps.DeleteFunc(out, func(key envoy.Key, _ string) bool { return key.View == view })
	return out
}
