// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

func TestKubectlShowsPolicies(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	lines := strings.Split(kubectl(t, "", "get", "meshpolicies", "-n", shop.Namespace), "\n")
	if got, want := strings.Join(strings.Fields(lines[0]), " "), "NAME ACTION MODE TARGETS RULES ACCEPTED PROXIES AGE"; got != want {
		t.Errorf("got columns %q, want %q", got, want)
	}
	if got, want := strings.Join(strings.Fields(lines[1])[:7], " "), "readers Allow Enforce Service/shop 1 True 1/1"; got != want {
		t.Errorf("got row %q, want %q", got, want)
	}
	for path, want := range map[string]string{"meshpolicy.spec.rules": "from", "meshpolicy.spec.rules.to.http.paths": "RegularExpression"} {
		// The aggregator publishes the models anew after the server was away.
		await.State(t, soon, func() (string, bool) {
			out, err := live.Kubectl(t.Context(), "", "explain", path)
			return fmt.Sprintf("explain %s: %v, %s", path, err, out), err == nil && strings.Contains(out, want)
		})
	}
}

func TestAnInvalidEditIsRefusedAndTrafficStaysAsItWas(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	before := live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, thief, "403", shop.URL("/books"))
	bad := fmt.Sprintf(`
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshPolicy
metadata: {name: readers, namespace: %s}
spec:
  action: Allow
  rules: [{from: [{authenticated: {}}], to: [{http: {paths: [{type: Glob, value: "/*"}]}}]}]
`, shop.Namespace)
	for _, dryRun := range []string{"--dry-run=server", "--dry-run=none"} {
		out, err := live.Kubectl(t.Context(), bad, "apply", "--server-side", "--force-conflicts", dryRun, "-f", "-")
		if err == nil {
			t.Fatalf("%s: accepted: %s", dryRun, out)
		}
		for _, want := range []string{"spec.rules[0].to[0].http.paths[0].type", `"Glob"`, `"Exact"`, `"PathPrefix"`, `"RegularExpression"`} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: the refusal does not say %s:\n%s", dryRun, want, out)
			}
		}
	}
	after, err := live.Mesh.MeshV1alpha1().MeshPolicies(shop.Namespace).Get(t.Context(), "readers", metav1.GetOptions{})
	if err != nil || after.Generation != before.Generation {
		t.Errorf("got generation %d (%v), want %d as before", after.Generation, err, before.Generation)
	}
	wantGet(t, thief, "403", shop.URL("/books"))
}

// A rule that names what is not there is kept, said and closed.
func TestMissingAccountIsAcceptedWithAWarningAndDenies(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	nobody := &cluster.Pod{Namespace: shop.Namespace, Account: "nobody"}
	live.Policy(t, shop.Namespace, "readers", admit(nobody))
	wantCondition(t, shop.Namespace, "readers", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "nobody")
	wantGet(t, buyer, "403", shop.URL("/books"))

	if err := live.Account(t.Context(), shop.Namespace, "nobody"); err != nil {
		t.Fatal(err)
	}
	wantCondition(t, shop.Namespace, "readers", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "")
	wantGet(t, buyer, "403", shop.URL("/books"))
}

func TestMissingServiceIsAcceptedWithAWarningAndAffectsNothing(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	out := kubectl(t, fmt.Sprintf(`
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshPolicy
metadata: {name: readers, namespace: %s}
spec:
  targetRefs: [{kind: Service, name: tomorrow}]
  action: Allow
  rules: [{from: [{serviceAccounts: [{namespace: %s, name: %s}]}], to: [{all: {}}]}]
`, shop.Namespace, buyer.Namespace, buyer.Account), "apply", "-f", "-")
	if !strings.Contains(out, "Warning: ") || !strings.Contains(out, "tomorrow") {
		t.Errorf("got %q, want a warning about the Service", out)
	}
	wantCondition(t, shop.Namespace, "readers", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "tomorrow")
	wantGet(t, thief, "200", shop.URL("/"))
}

func wantCondition(t *testing.T, namespace, name, kind string, status metav1.ConditionStatus, says string) {
	t.Helper()
	await.State(t, soon, func() (string, bool) {
		policy, err := live.Mesh.MeshV1alpha1().MeshPolicies(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		condition := meta.FindStatusCondition(policy.Status.Conditions, kind)
		return fmt.Sprintf("condition %s: %+v", kind, condition),
			condition != nil && condition.Status == status && condition.ObservedGeneration == policy.Generation && strings.Contains(condition.Message, says)
	})
}

// kubectl runs the real one and fails the test if it fails.
func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := live.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
