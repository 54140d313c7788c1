// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		{"audit is not there yet", "action: Allow", "action: Allow\n  mode: Audit", []string{"spec.mode", "Audit"}},
		{"no rules", "  rules:\n  - name: read", "  rules: []\n  x:\n  - name: read", []string{"rules"}},
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

func TestMissingReferencesAreAcceptedWithAWarning(t *testing.T) {
	out := kubectl(t, readers, "create", "-n", newNamespace(t), "-f", "-")
	if !strings.Contains(out, "Warning: ") || !strings.Contains(out, `Service "bookstore" does not exist`) {
		t.Errorf("got %q, want a warning about the Service", out)
	}
}
