// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
)

// stored is a policy as a store holds it: its second generation, seen by the mesh.
func stored() *mesh.MeshPolicy {
	return &mesh.MeshPolicy{
		ObjectMeta: metav1.ObjectMeta{
			Name: "readers", Namespace: "bookstore", UID: "1", ResourceVersion: "7", Generation: 2,
			CreationTimestamp: metav1.Now(),
		},
		Spec: mesh.MeshPolicySpec{
			Action: mesh.PolicyActionAllow,
			Mode:   mesh.PolicyModeEnforce,
			Rules: []mesh.PolicyRule{{
				From: []mesh.PolicySource{{Namespaces: []string{"bookbuyer"}}},
				To:   []mesh.PolicyDestination{{All: &mesh.AllPorts{}}},
			}},
		},
		Status: mesh.MeshPolicyStatus{
			Conditions: []metav1.Condition{{
				Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Compiled",
				ObservedGeneration: 2, LastTransitionTime: metav1.Now(),
			}},
			Proxies: &mesh.ProxyCounts{Affected: 3, Acked: 2, Disconnected: 1},
		},
	}
}

func testStrategy() strategy { return newStrategy(Config{SystemNamespace: system}) }

// update changes a stored policy by the strategy, and gives what would be written.
func update(t *testing.T, by rest.RESTUpdateStrategy, subresource string, change func(*mesh.MeshPolicy)) (*mesh.MeshPolicy, error) {
	t.Helper()
	old, policy := stored(), stored()
	change(policy)
	before := old.DeepCopy()
	err := rest.BeforeUpdate(by, registrytest.Context(t, old, "meshpolicies", subresource), policy, old)
	if diff := cmp.Diff(before.Spec, old.Spec); diff != "" {
		t.Errorf("the stored object was changed: %s", diff)
	}
	return policy, err
}

func TestCreateStartsAtGenerationOneWithoutStatus(t *testing.T) {
	policy := stored()
	policy.ResourceVersion, policy.UID = "", ""
	ctx := registrytest.Context(t, policy, "meshpolicies", "")
	registrytest.ExpectCauses(t, registrytest.Create(ctx, t, testStrategy(), policy))
	if policy.Generation != 1 {
		t.Errorf("generation %d, want 1", policy.Generation)
	}
	if !apiequality.Semantic.DeepEqual(policy.Status, mesh.MeshPolicyStatus{}) {
		t.Errorf("the client's status was kept: %v", policy.Status)
	}
}

func TestUpdateOfSpecCountsAGeneration(t *testing.T) {
	policy, err := update(t, testStrategy(), "", func(p *mesh.MeshPolicy) { p.Spec.Action = mesh.PolicyActionDeny })
	registrytest.ExpectCauses(t, err)
	if policy.Generation != 3 {
		t.Errorf("generation %d, want 3", policy.Generation)
	}
}

func TestUpdateOfMetadataCountsNone(t *testing.T) {
	policy, err := update(t, testStrategy(), "", func(p *mesh.MeshPolicy) {
		p.Labels = map[string]string{"team": "books"}
		p.Generation = 40
	})
	registrytest.ExpectCauses(t, err)
	if policy.Generation != 2 {
		t.Errorf("generation %d, want 2", policy.Generation)
	}
	if policy.Labels["team"] != "books" {
		t.Error("the label is lost")
	}
}

func TestUpdateLeavesStatusAlone(t *testing.T) {
	policy, err := update(t, testStrategy(), "", func(p *mesh.MeshPolicy) { p.Status.Proxies = nil })
	registrytest.ExpectCauses(t, err)
	if policy.Status.Proxies == nil {
		t.Error("an update of the object changed its status")
	}
}

func TestUpdateIsValidated(t *testing.T) {
	_, err := update(t, testStrategy(), "", func(p *mesh.MeshPolicy) {
		p.Spec.Rules[0].From = nil
		p.Spec.Rules[0].To = []mesh.PolicyDestination{{HTTP: &mesh.HTTPMatch{Paths: []mesh.PathMatch{{Type: "Glob", Value: "/*"}}}}}
	})
	registrytest.ExpectCauses(t, err,
		"spec.rules[0].from: everybody in the mesh is [{authenticated: {}}]",
		`spec.rules[0].to[0].http.paths[0].type: Unsupported value: "Glob"`)
}

// A policy that today's rules refuse can still lose a finalizer.
func TestUnchangedSpecIsNotValidatedAgain(t *testing.T) {
	old := stored()
	old.Spec.Rules[0].From = nil
	old.Spec.Mode = "Audit"
	old.Finalizers = []string{"example.com/hold"}
	policy := old.DeepCopy()
	policy.Finalizers = nil
	ctx := registrytest.Context(t, old, "meshpolicies", "")
	registrytest.ExpectCauses(t, rest.BeforeUpdate(testStrategy(), ctx, policy, old))
}

func TestUpdateOfStatusChangesNothingElse(t *testing.T) {
	policy, err := update(t, statusStrategy{testStrategy()}, "status", func(p *mesh.MeshPolicy) {
		p.Spec.Action = mesh.PolicyActionDeny
		p.Labels = map[string]string{"team": "books"}
		p.Finalizers = []string{"example.com/hold"}
		p.Status.Proxies = &mesh.ProxyCounts{Affected: 3, Acked: 3}
	})
	registrytest.ExpectCauses(t, err)
	if policy.Spec.Action != mesh.PolicyActionAllow || len(policy.Labels) > 0 || len(policy.Finalizers) > 0 || policy.Generation != 2 {
		t.Errorf("an update of the status changed the object: %v", policy)
	}
	if policy.Status.Proxies.Acked != 3 {
		t.Error("the status is not what was written")
	}
}

func TestUpdateOfStatusIsValidated(t *testing.T) {
	_, err := update(t, statusStrategy{testStrategy()}, "status", func(p *mesh.MeshPolicy) {
		p.Status.Conditions[0].Reason = ""
		p.Status.Proxies = &mesh.ProxyCounts{Affected: -1, Acked: 3}
	})
	registrytest.ExpectCauses(t, err,
		"status.conditions[0].reason: Required value",
		"status.proxies.affected: must be greater than or equal to 0",
		"status.proxies.acked: must be at most affected")
}

func TestResetFields(t *testing.T) {
	for name, test := range map[string]struct {
		strategy    rest.ResetFieldsStrategy
		reset, kept []string
	}{
		"the object": {testStrategy(), []string{"status"}, []string{"spec", "metadata"}},
		"its status": {statusStrategy{testStrategy()}, []string{"spec", "metadata"}, []string{"status"}},
	} {
		t.Run(name, func(t *testing.T) {
			set := test.strategy.GetResetFields()["mesh.openservicemesh.io/v1alpha1"]
			if set == nil {
				t.Fatal("nothing is said for v1alpha1")
			}
			for _, field := range test.reset {
				if !set.Has(fieldpath.MakePathOrDie(field)) {
					t.Errorf("%s is not reset", field)
				}
			}
			for _, field := range test.kept {
				if set.Has(fieldpath.MakePathOrDie(field)) {
					t.Errorf("%s is reset", field)
				}
			}
		})
	}
}

func TestScopeAndWrites(t *testing.T) {
	s := testStrategy()
	if !s.NamespaceScoped() {
		t.Error("MeshPolicy is namespaced")
	}
	if s.AllowCreateOnUpdate(t.Context()) || s.AllowUnconditionalUpdate(t.Context()) {
		t.Error("an update needs an object and its resourceVersion")
	}
}
