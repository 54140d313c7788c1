// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// The visitor's pod lives on when its account is deleted, and has its certificate
// still, as whoever has kept one would.
func TestTheCertificateOfADeletedAccountIsRefused(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	visitor := reflector(t, shop, "visitor")
	live.Policy(t, shop.Namespace, "readers", admit(visitor))
	live.Policy(t, shop.Namespace, "echo", admitTCP(visitor.Namespace, visitor.Account))
	wantGet(t, visitor, "200", shop.URL("/books"))
	held := visitor.Hold(t, shop.Echo())

	kubectl(t, "", "delete", "serviceaccount", "-n", shop.Namespace, "visitor")
	wantGet(t, visitor, "403", shop.URL("/books"))
	held.Await(t, soon, "closed after 0 bytes", "new")
	wantEnd(t, held)
	for _, policy := range []string{"readers", "echo"} {
		wantCondition(t, shop.Namespace, policy, v1alpha1.ConditionAccepted, metav1.ConditionFalse,
			"ServiceAccount "+shop.Namespace+"/visitor does not exist; it admits no caller until it exists")
	}

	// Whoever makes the account anew admits its old certificates with it.
	if err := live.Account(t.Context(), shop.Namespace, "visitor"); err != nil {
		t.Fatal(err)
	}
	wantGet(t, visitor, "200", shop.URL("/books"))
	held.Await(t, soon, "echo", "new")
}

// The policy of docs/identity.md, "Cutting off one identity". It narrows every TCP
// port of the mesh, so no test runs beside this one.
func TestADenyOfAdministratorsCutsOffOneIdentity(t *testing.T) {
	shop := live.Shop(t)
	stolen := reflector(t, shop, "stolen")
	live.Policy(t, shop.Namespace, "echo", admitTCP(stolen.Namespace, stolen.Account))
	wantGet(t, stolen, "200", shop.URL("/books"))
	held := stolen.Hold(t, shop.Echo())

	t.Cleanup(func() {
		err := live.Mesh.MeshV1alpha1().MeshPolicies(cluster.SystemNamespace).Delete(context.Background(), "cut-off", metav1.DeleteOptions{})
		if err != nil {
			t.Errorf("delete the policy that cuts off: %v", err)
		}
	})
	live.Policy(t, cluster.SystemNamespace, "cut-off", `
action: Deny
onAnonymous: Ignore
rules: [{from: [{principals: ["spiffe://cluster.local/ns/`+shop.Namespace+`/sa/stolen"]}]}]
`)
	wantGet(t, stolen, "403", shop.URL("/books"))
	held.Await(t, soon, "closed after 0 bytes", "new")
	wantEnd(t, held)
	wantGet(t, buyer, "200", shop.URL("/books"))

	kubectl(t, "", "delete", "-n", shop.Namespace, "serviceaccount/stolen")
	if out := kubectl(t, "", "delete", "pod", "-n", shop.Namespace, "--field-selector", "spec.serviceAccountName=stolen"); !strings.Contains(out, `"stolen"`) {
		t.Errorf("kubectl says %q, want that it has deleted the pod", out)
	}
	wantCondition(t, cluster.SystemNamespace, "cut-off", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "")
}

// reflector starts a pod that calls from the namespace of a shop, as an account of its own.
func reflector(t *testing.T, shop *cluster.Shop, name string) *cluster.Pod {
	t.Helper()
	pod, err := live.Start(t.Context(), cluster.Manifest(shop.Namespace, name, cluster.Container("app", "reflect")))
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// wantEnd waits until the connection that was open before has ended.
func wantEnd(t *testing.T, held *cluster.Watch) {
	t.Helper()
	await.State(t, drainTime, func() (string, bool) {
		outcomes := held.Outcomes("old")
		last := outcomes[len(outcomes)-1]
		return "the connection from before: " + last, strings.HasPrefix(last, "closed after")
	})
}
