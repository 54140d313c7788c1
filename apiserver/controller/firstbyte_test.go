// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestADenyIsReportedAnewWhenAnAllowBesideItChanges: whether it acts at the first
// byte hangs on whom else the port admits.
func TestADenyIsReportedAnewWhenAnAllowBesideItChanges(t *testing.T) {
	objects := worldtest.Load(t, "testdata/features/deny-at-first-byte/in.yaml")
	e := loaded(objects)
	deny := meshpolicy.Reference(world.Key{Namespace: "shop", Name: "closed-port"})
	if report := reports(e.step(t.Context()))[deny]; report == nil || len(report.Own) == 0 {
		t.Fatalf("beside an Allow of everybody: %+v", report)
	}
	all := policyNamed(objects, "closing")
	one := all.DeepCopy()
	one.Spec.Rules[0].From = []v1alpha1.PolicySource{{ServiceAccounts: []v1alpha1.ServiceAccountReference{{Name: "shop"}}}}
	worldtest.Set(e.World, one)
	if report := reports(e.step(t.Context()))[deny]; report == nil || len(report.Own) > 0 {
		t.Errorf("beside an Allow of one that it denies: %+v", report)
	}
	worldtest.Set(e.World, all)
	if report := reports(e.step(t.Context()))[deny]; report == nil || len(report.Own) == 0 {
		t.Errorf("beside an Allow of everybody again: %+v", report)
	}
}

func policyNamed(objects []metav1.Object, name string) *v1alpha1.MeshPolicy {
	for _, object := range objects {
		if policy, ok := object.(*v1alpha1.MeshPolicy); ok && policy.Name == name {
			return policy
		}
	}
	panic("there is none")
}
