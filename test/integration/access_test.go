// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"
)

func TestRolesOfTheClusterCoverPolicies(t *testing.T) {
	namespace := newNamespace(t)
	kubectl(t, "", "create", "rolebinding", "-n", namespace, "edits", "--clusterrole=edit", "--user=editor")
	kubectl(t, "", "create", "rolebinding", "-n", namespace, "views", "--clusterrole=view", "--user=viewer")

	kubectl(t, readers, "create", "--as=editor", "-n", namespace, "-f", "-")
	kubectl(t, "", "get", "--as=viewer", "-n", namespace, "mp", "readers")
	for _, who := range []string{"viewer", "stranger"} {
		out, err := kube.Kubectl(t.Context(), "", "delete", "--as="+who, "-n", namespace, "mp", "readers")
		if err == nil || !strings.Contains(out, "forbidden") {
			t.Errorf("delete by %s: got %v, want forbidden", who, err)
		}
	}
	if out, err := kube.Kubectl(t.Context(), "", "get", "--as=stranger", "-n", namespace, "mp"); err == nil || !strings.Contains(out, "forbidden") {
		t.Errorf("get by a stranger: got %v, want forbidden", err)
	}
}
