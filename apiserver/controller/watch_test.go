// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// A policy is translated for its spec, not for each write of its status; and after
// a restore of the database one generation may have another spec.
func TestPoliciesAreTranslatedWhenTheySayAnother(t *testing.T) {
	in := newInbox()
	handler := sourceHandler(in, meshpolicy.Source, kinds.Options{SystemNamespace: "mesh-system"})
	e := newTestEngine()
	events := func() int {
		events := in.take()
		for _, event := range events {
			event(e.state)
		}
		return len(events)
	}
	policy := policyFor(0, 1)
	origin := meshpolicy.Reference(world.Key{Namespace: policy.Namespace, Name: policy.Name})
	handler.OnAdd(policy, true)
	if events() != 1 || e.World.Reader().Policy(origin) == nil || !e.stored {
		t.Fatal("a new policy is not known")
	}
	told := policy.DeepCopy()
	told.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAccepted}}
	handler.OnUpdate(policy, told)
	if n := events(); n != 0 {
		t.Errorf("a write of the status is %d events", n)
	}
	restored := told.DeepCopy()
	restored.Spec.Action = v1alpha1.PolicyActionDeny
	handler.OnUpdate(told, restored)
	if n := events(); n != 1 || e.World.Reader().Policy(origin).Action != "Deny" {
		t.Errorf("another spec is %d events, and the policy %+v", n, e.World.Reader().Policy(origin))
	}
	handler.OnDelete(cache.DeletedFinalStateUnknown{Key: origin.Key.String()})
	if n := events(); n != 1 || e.World.Reader().Policy(origin) != nil {
		t.Error("a policy that is gone is known still")
	}
}
