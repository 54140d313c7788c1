// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

func TestRolesOfTheClusterCoverPolicies(t *testing.T) {
	namespace := newNamespace(t)
	kubectl(t, "", "create", "rolebinding", "-n", namespace, "edits", "--clusterrole=edit", "--user=editor")
	kubectl(t, "", "create", "rolebinding", "-n", namespace, "views", "--clusterrole=view", "--user=viewer")
	kubectl(t, "", "create", "rolebinding", "-n", namespace, "admins", "--clusterrole=admin", "--user=administrator")

	awaitRole(t, readers, "create", "--as=editor", "-n", namespace, "-f", "-")
	awaitRole(t, "", "get", "--as=viewer", "-n", namespace, "mp", "readers")
	for _, who := range []string{"viewer", "stranger"} {
		out, err := kube.Kubectl(t.Context(), "", "delete", "--as="+who, "-n", namespace, "mp", "readers")
		if err == nil || !strings.Contains(out, "forbidden") {
			t.Errorf("delete by %s: got %v, want forbidden", who, err)
		}
	}
	if out, err := kube.Kubectl(t.Context(), "", "get", "--as=stranger", "-n", namespace, "mp"); err == nil || !strings.Contains(out, "forbidden") {
		t.Errorf("get by a stranger: got %v, want forbidden", err)
	}
	awaitRole(t, "", "delete", "--as=administrator", "-n", namespace, "mp", "readers")
}

// awaitRole does what a role allows, once the authorizer knows the binding, and the
// role has been given the mesh's rules.
func awaitRole(t *testing.T, stdin string, args ...string) {
	t.Helper()
	await.Eventually(t, soon, strings.Join(args, " "), func(ctx context.Context) error {
		_, err := kube.Kubectl(ctx, stdin, args...)
		return err
	})
}

func TestMeshConfigIsOfClusterAdministrators(t *testing.T) {
	namespace := newNamespace(t)
	for _, role := range []string{"view", "edit", "admin"} {
		user := "config-" + role
		kubectl(t, "", "create", "clusterrolebinding", namespace+"-"+role, "--clusterrole="+role, "--user="+user)
		t.Cleanup(func() {
			_, _ = kube.Kubectl(context.Background(), "", "delete", "clusterrolebinding", namespace+"-"+role)
		})
		awaitRole(t, "", "get", "--as="+user, "meshconfig", "default")
		for _, verb := range [][]string{
			{"patch", "meshconfig", "default", "--type=merge", "-p", `{"spec":{"traffic":{"access":"DefaultDeny"}}}`},
			{"delete", "meshconfig", "default"},
		} {
			wantRefusal(t, role+" "+verb[0], []string{"forbidden"}, append(verb, "--as="+user)...)
		}
	}
}

// Who edits a policy does not write what the mesh says about it.
func TestEditorsDoNotWriteStatus(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	kubectl(t, "", "create", "rolebinding", "-n", namespace, "edits", "--clusterrole=edit", "--user=editor")
	awaitRole(t, "", "label", "--as=editor", "-n", namespace, "mp", "readers", "edited=yes")
	wantRefusal(t, "status by an editor", []string{"forbidden"}, "patch", "--as=editor", "-n", namespace, "mp", "readers",
		"--subresource=status", "--type=merge", "-p", `{"status":{"proxies":{"affected":1,"acked":1}}}`)
}
