// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Each case is an edit of the policy readers that makes it invalid, and what the
// refusal must say: the field and what is allowed.
func TestInvalidPoliciesAreRefusedByFieldAndChangeNothing(t *testing.T) {
	namespace := newNamespace(t)
	before := newPolicy(t, namespace)
	tests := []struct {
		name     string
		old, new string
		want     []string
	}{
		{"unknown action", "action: Allow", "action: Permit", []string{"spec.action", `"Permit"`, `"Allow"`, `"Deny"`}},
		{"a mode that is none", "action: Allow", "action: Allow\n  mode: Watch", []string{"spec.mode", `"Audit"`, `"Enforce"`}},
		{"onAnonymous in an Allow", "action: Allow", "action: Allow\n  onAnonymous: Ignore", []string{"spec.onAnonymous", "unless action is Deny"}},
		{"a caller with an identity and without", "{serviceAccounts: [{namespace: bookbuyer, name: bookbuyer}]}", "{authenticated: {}, anonymous: {}}", []string{"spec.rules[0].from[0].anonymous", "an item of its own"}},
		{"unknown field", "action: Allow", "action: Allow\n  priority: 1", []string{"unknown field", "spec.priority"}},
		{"nobody named in an Allow", "    from: [{serviceAccounts: [{namespace: bookbuyer, name: bookbuyer}]}]\n", "", []string{"spec.rules[0].from", "[{authenticated: {}}]"}},
		{"empty list of callers", "serviceAccounts: [{namespace: bookbuyer, name: bookbuyer}]", "namespaces: []", []string{"spec.rules[0].from[0].namespaces", "empty list"}},
		{"empty selector", "targetRefs: [{kind: Service, name: bookstore}]", "selector: {}", []string{"spec.selector", "leave selector out"}},
		{"rule named by digits", "- name: read\n", "- name: '7'\n", []string{"spec.rules[0].name", "digits alone"}},
		{"account of no valid name", "name: bookbuyer}]", "name: Book_Buyer}]", []string{"spec.rules[0].from[0].serviceAccounts[0].name"}},
		{"principal of no mesh", "serviceAccounts: [{namespace: bookbuyer, name: bookbuyer}]", "principals: [bookbuyer]", []string{"spec.rules[0].from[0].principals[0]", "spiffe://"}},
		{"block of no network", "serviceAccounts: [{namespace: bookbuyer, name: bookbuyer}]", "ipBlocks: [{cidr: 10.0.0.1/8}]", []string{"spec.rules[0].from[0].ipBlocks[0].cidr"}},
		{"everything and a port", "ports: [14001]", "all: {}", []string{"spec.rules[0].to[0]", "all"}},
		{"http and grpc", "- ports: [14001]", "- ports: [14001]\n      grpc: {methods: [{service: books.Books}]}", []string{"spec.rules[0].to[0]", "grpc"}},
		{"no rules", readers[strings.Index(readers, "  rules:"):], "  rules: []\n", []string{"spec.rules"}},
		{"empty source", "from: [{serviceAccounts: [{namespace: bookbuyer, name: bookbuyer}]}]", "from: [{}]", []string{"spec.rules[0].from[0]"}},
		{"port out of range", "ports: [14001]", "ports: [70000]", []string{"spec.rules[0].to[0].ports[0]", "65535"}},
		{"path without slash", "value: /books", "value: books", []string{"spec.rules[0].to[0].http.paths[0].value"}},
		{"bad expression", "{type: PathPrefix, value: /books}", "{type: RegularExpression, value: '['}", []string{"spec.rules[0].to[0].http.paths[0].value"}},
		{"target of another kind", "kind: Service, name: bookstore", "kind: Deployment, name: bookstore", []string{"spec.targetRefs[0].kind"}},
		{"selector and target", "  action: Allow", "  selector: {matchLabels: {app: bookstore}}\n  action: Allow", []string{"spec"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := strings.Replace(readers, tt.old, tt.new, 1)
			if bad == readers {
				t.Fatalf("%q is not in the policy", tt.old)
			}
			for _, flag := range []string{"--dry-run=server", "--dry-run=none"} {
				out, err := kube.Kubectl(t.Context(), bad, "apply", flag, "-n", namespace, "-f", "-")
				if err == nil {
					t.Fatalf("%s: accepted: %s", flag, out)
				}
				for _, want := range tt.want {
					if !strings.Contains(out, want) {
						t.Errorf("%s: refusal does not say %s:\n%s", flag, want, out)
					}
				}
			}
		})
	}
	after, err := policiesIn(namespace).Get(t.Context(), "readers", metav1.GetOptions{})
	if err != nil || after.Generation != before.Generation {
		t.Errorf("got generation %d (%v), want %d as before", after.Generation, err, before.Generation)
	}
}

// A strategic merge patch, as of kubectl apply to what is there, is decoded by the
// library without any path.
func TestAValueOfTheWrongTypeIsRefusedByItsField(t *testing.T) {
	namespace := newNamespace(t)
	bad := strings.Replace(readers, "from: [{serviceAccounts: [{namespace: bookbuyer, name: bookbuyer}]}]", "from: everybody", 1)
	const list = "spec.rules.from: must be a list, not a string; see kubectl explain meshpolicy.spec.rules.from"
	for _, c := range []struct {
		name, stdin, want string
		args              []string
	}{
		{"create", bad, list, []string{"create", "-n", namespace, "-f", "-"}},
		{"apply", bad, list, []string{"apply", "-n", namespace, "-f", "-"}},
		{"server-side apply", bad, ".spec.rules[0].from: expected list", []string{"apply", "--server-side", "-n", namespace, "-f", "-"}},
		{"merge patch", "", "spec.sidecar.concurrency: must be a whole number, not a string", []string{
			"patch", "meshconfig", "default", "--type=merge", "-p", `{"spec":{"sidecar":{"concurrency":"two"}}}`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, err := kube.Kubectl(t.Context(), c.stdin, c.args...); err == nil || !strings.Contains(out, c.want) {
				t.Errorf("got %v, %s, want %s", err, out, c.want)
			}
		})
	}
}

func TestMissingReferencesAreAcceptedWithAWarning(t *testing.T) {
	out := kubectl(t, readers, "create", "-n", newNamespace(t), "-f", "-")
	if !strings.Contains(out, "Warning: ") || !strings.Contains(out, `Service "bookstore" does not exist`) {
		t.Errorf("got %q, want a warning about the Service", out)
	}
}

func TestAdministratorsPolicyWithATargetRefIsRefused(t *testing.T) {
	out, err := kube.Kubectl(t.Context(), readers, "create", "-n", harness.SystemNamespace, "-f", "-")
	if err == nil || !strings.Contains(out, "spec.targetRefs: Forbidden") || !strings.Contains(out, "applies to every namespace") {
		t.Errorf("got %v, want a refusal of spec.targetRefs", err)
	}
}

func TestMissingServiceIsSaidInStatusUntilItComes(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	accepted := func(want metav1.ConditionStatus) func(context.Context) error {
		return func(ctx context.Context) error {
			policy, err := policiesIn(namespace).Get(ctx, "readers", metav1.GetOptions{})
			if err != nil {
				return err
			}
			condition := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionAccepted)
			if condition == nil || condition.Status != want || condition.ObservedGeneration != policy.Generation {
				return fmt.Errorf("condition Accepted is %+v", condition)
			}
			return nil
		}
	}
	await.Eventually(t, soon, "Accepted=False", accepted(metav1.ConditionFalse))
	kubectl(t, "", "create", "namespace", "bookbuyer")
	t.Cleanup(func() {
		_, _ = kube.Kubectl(context.Background(), "", "delete", "namespace", "bookbuyer", "--wait=false")
	})
	kubectl(t, "", "create", "serviceaccount", "-n", "bookbuyer", "bookbuyer")
	kubectl(t, "", "create", "service", "clusterip", "-n", namespace, "bookstore", "--tcp=14001:14001")
	await.Eventually(t, soon, "Accepted=True", accepted(metav1.ConditionTrue))
}
