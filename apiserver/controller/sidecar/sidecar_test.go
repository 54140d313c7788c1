// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sidecar

import "testing"

// TestPodsOfEarlierVersionsFindTheirFiles: what the server sends names files by
// their paths in the proxy's container, and a pod keeps those of the day on which
// it was made.
func TestPodsOfEarlierVersionsFindTheirFiles(t *testing.T) {
	for got, want := range map[string]string{
		IdentitySDS:       "/var/run/mesh/identity.sds.yaml",
		RefusalBudget:     "/var/run/mesh/refusal-budget.yaml",
		CredentialBundle:  "/var/run/secrets/mesh/identity/credentialbundle.pem",
		ControlPlaneRoots: "/var/run/secrets/mesh/roots/roots.pem",
	} {
		if got != want {
			t.Errorf("%s was %s", got, want)
		}
	}
}

// TestUsersOfProxiesAreInTheirRange holds the range that the admission policies of
// artifacts/deploy name as well.
func TestUsersOfProxiesAreInTheirRange(t *testing.T) {
	for drawn, want := range map[uint64]int64{0: 2013370000, 9999: 2013379999, 10000: 2013370000, 1<<64 - 1: 2013371615} {
		if got := ProxyUID(drawn); got != want || !IsProxyUID(got) {
			t.Errorf("%d gives %d, want %d", drawn, got, want)
		}
	}
	for _, uid := range []int64{0, ProxyGID, FirstProxyUID - 1, FirstProxyUID + ProxyUIDs} {
		if IsProxyUID(uid) {
			t.Errorf("%d counts as a proxy's user", uid)
		}
	}
}
