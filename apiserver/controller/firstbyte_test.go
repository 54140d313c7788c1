// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestADenyIsReportedAnewWhenAnAllowBesideItChanges: whether it acts at the first
// byte hangs on whom else the port admits.
func TestADenyIsReportedAnewWhenAnAllowBesideItChanges(t *testing.T) {
	e := loaded(worldtest.Load(t, "testdata/features/deny-at-first-byte/in.yaml"))
	deny, allow := world.Key{Namespace: "shop", Name: "closed-port"}, world.Key{Namespace: "shop", Name: "closing"}
	if report := e.step(t.Context()).reports[deny]; report == nil || report.FirstByte == "" {
		t.Fatalf("beside an Allow of everybody: %+v", report)
	}
	all := e.world.Policy(allow)
	one := all.DeepCopy()
	one.Spec.Rules[0].From = []v1alpha1.PolicySource{{ServiceAccounts: []v1alpha1.ServiceAccountReference{{Name: "shop"}}}}
	e.world.SetPolicy(one)
	if report := e.step(t.Context()).reports[deny]; report == nil || report.FirstByte != "" {
		t.Errorf("beside an Allow of one that it denies: %+v", report)
	}
	e.world.SetPolicy(all)
	if report := e.step(t.Context()).reports[deny]; report == nil || report.FirstByte == "" {
		t.Errorf("beside an Allow of everybody again: %+v", report)
	}
}
