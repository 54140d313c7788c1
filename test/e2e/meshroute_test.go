// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// routed waits until kubectl shows these values of a MeshRoute's conditions.
func routed(t *testing.T, namespace, want string) {
	t.Helper()
	await.State(t, soon, func() (string, bool) {
		got, err := live.Kubectl(t.Context(), "", "get", "meshroute", "canary", "-n", namespace, "-o",
			`jsonpath={range .status.conditions[*]}{.type}={.status}/{.reason} {end}observed={.status.conditions[?(@.type=="Programmed")].observedGeneration} of {.metadata.generation}`)
		if err != nil {
			return err.Error(), false
		}
		_, observed, _ := strings.Cut(got, "observed=")
		generation, of, _ := strings.Cut(observed, " of ")
		return got, strings.Contains(got, want) && strings.Contains(got, "Programmed=True/") && generation == of
	})
}

// TestAMeshRouteSharesRequestsByWeight follows a route from its creation to its end.
func TestAMeshRouteSharesRequestsByWeight(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	// Nothing is behind this Service but what its route says.
	apply(t, shop.Namespace, `
apiVersion: v1
kind: Service
metadata: {name: front}
spec:
  ports: [{name: http, port: 80}]
`)
	front := "http://front." + shop.Namespace + "/"
	wantGet(t, buyer, "503", front)
	route := func(backends string) {
		apply(t, shop.Namespace, `
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshRoute
metadata: {name: canary}
spec:
  parentRefs: [{kind: Service, name: front, port: 80}]
  http: [{backendRefs: [`+backends+`]}]
`)
	}
	count := func(n int) map[string]int {
		answers := map[string]int{}
		for range n {
			answers[buyer.Get(t.Context(), front)]++
		}
		return answers
	}

	route("{name: shop, port: 80}")
	routed(t, shop.Namespace, "ResolvedRefs=True/ResolvedRefs")
	if got := count(20); got["200"] != 20 {
		t.Errorf("all requests are routed to one backend: got %v", got)
	}
	table, err := live.Kubectl(t.Context(), "", "get", "mr", "-n", shop.Namespace)
	if err != nil || !strings.Contains(table, "Service/front:80") {
		t.Errorf("kubectl get mr shows %q, %v", table, err)
	}

	route("{name: shop, port: 80, weight: 1}, {name: gone, port: 80, weight: 1}")
	routed(t, shop.Namespace, "ResolvedRefs=False/BackendNotFound")
	// 100 requests at a half: fewer than 20 are less likely than 1 in 10^9.
	if got := count(100); got["200"] < 20 || got["500"] < 20 || got["200"]+got["500"] != 100 {
		t.Errorf("half of the backends are there: got %v", got)
	}

	route("{name: shop, port: 80, weight: 0}")
	routed(t, shop.Namespace, "ResolvedRefs=True/ResolvedRefs")
	if got := count(20); got["500"] != 20 {
		t.Errorf("no backend has a share: got %v", got)
	}

	if _, err := live.Kubectl(t.Context(), "", "delete", "meshroute", "canary", "-n", shop.Namespace); err != nil {
		t.Fatal(err)
	}
	wantGet(t, buyer, "503", front)
}

// TestAMeshRouteThatCannotActSaysWhy: what cannot be routed is said, and its neighbours
// are as they were.
func TestAMeshRouteThatCannotActSaysWhy(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	for want, parent := range map[string]string{
		"Accepted=False/TargetNotFound":      "{kind: Service, name: gone}",
		"Accepted=False/UnsupportedProtocol": "{kind: Service, name: echo, port: 9000}",
	} {
		apply(t, shop.Namespace, fmt.Sprintf(`
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshRoute
metadata: {name: canary}
spec:
  parentRefs: [%s]
  http: [{backendRefs: [{name: shop, port: 80}]}]
`, parent))
		await.State(t, soon, func() (string, bool) {
			got, err := live.Kubectl(t.Context(), "", "get", "meshroute", "canary", "-n", shop.Namespace, "-o", `jsonpath={range .status.conditions[*]}{.type}={.status}/{.reason} {end}`)
			return fmt.Sprint(got, err), strings.Contains(got, want)
		})
	}
	wantGet(t, buyer, "200", shop.URL("/"))
}
