// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// admit is the spec of a policy by which one caller may read /books.
func admit(caller *cluster.Pod) string {
	return fmt.Sprintf(`
targetRefs: [{kind: Service, name: shop}]
action: Allow
rules:
- name: readers
  from: [{serviceAccounts: [{namespace: %s, name: %s}]}]
  to: [{ports: [8080], http: {methods: [GET], paths: [{type: PathPrefix, value: /books}]}}]
`, caller.Namespace, caller.Account)
}

func TestPolicyAdmitsOneCallerAndTheServerRefusesTheOther(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	wantGet(t, buyer, "200", shop.URL("/books"))
	wantGet(t, thief, "200", shop.URL("/books"))

	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	before := denied(t, shop.Pod)
	wantGet(t, buyer, "200", shop.URL("/books"))
	wantGet(t, thief, "403", shop.URL("/books"))
	wantGet(t, buyer, "403", shop.URL("/till"))

	if after := denied(t, shop.Pod); after <= before {
		t.Errorf("the server's proxy counts %v refusals, as before: who refused?", after)
	}
	if got := denied(t, thief); got != 0 {
		t.Errorf("the caller's proxy counts %v refusals, want none: the server decides", got)
	}
}

// denied is how many requests a pod's proxy has refused by its rules.
func denied(t *testing.T, pod *cluster.Pod) float64 {
	t.Helper()
	stats, err := pod.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stats.Sum("rbac", "denied") - stats.Sum("rbac", "shadow_denied")
}

func TestEditIsObeyedOnNewAndOldConnectionsAndCutsNone(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	watch := buyer.Probe(t, "200", shop.URL("/books"), "--every=5ms")
	for range 3 {
		live.WritePolicy(t, shop.Namespace, "readers", admit(thief))
		watch.Await(t, soon, "403", "new", "old")
		live.WritePolicy(t, shop.Namespace, "readers", admit(buyer))
		watch.Await(t, soon, "200", "new", "old")
	}
	for _, connection := range []string{"new", "old"} {
		want := []string{"200", "403", "200", "403", "200", "403", "200"}
		if got := watch.Outcomes(connection); !slices.Equal(got, want) {
			t.Errorf("%s connection: got %v, want %v and nothing between", connection, got, want)
		}
	}
	old := watch.Lines("old")
	if last := old[len(old)-1]; last.Cut != 0 {
		t.Errorf("the proxy has ended the old connection %d times, want never", last.Cut)
	}
}

func TestDenyBeatsAllow(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "everybody", "action: Allow\nrules: [{from: [{authenticated: {}}], to: [{all: {}}]}]")
	wantGet(t, thief, "200", shop.URL("/"))
	live.Policy(t, shop.Namespace, "not-the-thief", fmt.Sprintf("action: Deny\nrules: [{from: [{namespaces: [%s]}]}]", thief.Namespace))
	wantGet(t, thief, "403", shop.URL("/"))
	wantGet(t, buyer, "200", shop.URL("/"))
}

func TestAPolicyOfOneServiceLeavesTheOthersOfThePodAlone(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	other := thief.Hold(t, shop.Other())
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, thief, "403", shop.URL("/books"))
	// An Allow closes all ports of its target.
	wantCall(t, shop, gets(thief, "PermissionDenied", "grpc", "Check"))
	other.Await(t, soon, "echo", "new", "old")
	for _, connection := range []string{"new", "old"} {
		if got := other.Outcomes(connection); len(got) != 1 {
			t.Errorf("TCP on a port that the policy is not about, %s connection: %v", connection, got)
		}
	}
}

func TestAPodReachesItselfByItsService(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	wantGet(t, shop.Pod, "200", shop.URL("/"))
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, shop.Pod, "403", shop.URL("/"))
}

func TestIPv6WorksTheSame(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	addresses := shop.Addresses["shop"]
	if len(addresses) < 2 {
		t.Fatalf("the Service has the addresses %v, want one of each family", addresses)
	}
	url := fmt.Sprintf("http://[%s]/books", addresses[1])
	wantGet(t, buyer, "200", url)
	wantGet(t, thief, "200", url)
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, buyer, "200", url)
	wantGet(t, thief, "403", url)
	wantGet(t, outsider, "no answer", url)
}
