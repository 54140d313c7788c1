// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

var acceptCommand = regexp.MustCompile(`kubectl (-n mesh-system annotate secret mesh-root \S+ \S+accept-database=[0-9a-f-]+)`)

// Not parallel: it takes the control plane's data away, and brings it back as
// docs/operations.md says, "The database is lost".
func TestLostVolumeKeepsWhatProxiesRefuse(t *testing.T) {
	live.Settle(t)
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	served := buyer.Probe(t, "200", shop.URL("/books"), "--every=20ms")
	refused := thief.Probe(t, "403", shop.URL("/books"), "--every=20ms")
	settings := kubectl(t, "", "get", "meshconfig", "default", "-o", "yaml")
	policies := kubectl(t, "", "get", "meshpolicies", "-A", "-o", "yaml")

	kubectl(t, "", "-n", cluster.SystemNamespace, "scale", "statefulset", "mesh-apiserver", "--replicas=0")
	kubectl(t, "", "-n", cluster.SystemNamespace, "wait", "--for=delete", "pod/"+cluster.ControlPlane, "--timeout=90s")
	emptyVolume(t)
	t.Cleanup(func() {
		// A test that has failed on its way leaves no mesh that takes nothing.
		if found := acceptCommand.FindStringSubmatch(toldOfDatabase(context.Background())); found != nil {
			_, _ = live.Kubectl(context.Background(), "", strings.Fields(found[1])...)
		}
	})
	kubectl(t, "", "-n", cluster.SystemNamespace, "scale", "statefulset", "mesh-apiserver", "--replicas=1")
	kubectl(t, "", "-n", cluster.SystemNamespace, "rollout", "status", "statefulset/mesh-apiserver", "--timeout=180s")
	await.State(t, backTime, func() (string, bool) {
		_, err := live.Kubectl(t.Context(), "", "get", "meshpolicies", "-A")
		return fmt.Sprintf("the API is not back: %v", err), err == nil
	})
	told := toldOfDatabase(t.Context())
	accept := acceptCommand.FindStringSubmatch(told)
	if accept == nil {
		t.Fatalf("the check says %q, want the command that accepts", told)
	}
	if _, err := live.Kubectl(t.Context(), "", "get", "meshconfig", "default"); err == nil {
		t.Error("there are settings, as if none had been lost")
	}
	kubectl(t, settings, "apply", "-f", "-")
	kubectl(t, policies, "apply", "-f", "-")
	// Proxies come back, are sent nothing, and go on as they did.
	await.State(t, backTime, func() (string, bool) {
		metrics, err := live.ServerMetrics(t.Context())
		if err != nil {
			return err.Error(), false
		}
		got, want := metrics.Sum("mesh_xds_connected_streams"), live.Meshed(t)
		return fmt.Sprintf("%v of %v proxies are connected", got, want), got >= float64(want)
	})
	metrics, err := live.ServerMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := metrics.Sum("mesh_xds_pushes_total"); got != 0 {
		t.Errorf("proxies were sent %v responses before the database was accepted", got)
	}
	wantAlone(t, served, "200")
	wantAlone(t, refused, "403")

	kubectl(t, "", strings.Fields(accept[1])...)
	await.State(t, backTime, func() (string, bool) {
		out, err := live.Kubectl(t.Context(), "", "get", "--raw", "/api/v1/namespaces/mesh-system/pods/https:mesh-apiserver-0:8443/proxy/readyz")
		return out, err == nil
	})
	wantAlone(t, served, "200")
	wantAlone(t, refused, "403")
	live.Policy(t, shop.Namespace, "readers", admit(thief))
	served.Await(t, soon, "403", "new", "old")
	refused.Await(t, soon, "200", "new", "old")
}

// toldOfDatabase is what the check says, as an operator asks for it.
func toldOfDatabase(ctx context.Context) string {
	out, _ := live.Kubectl(ctx, "", "get", "--raw", "/api/v1/namespaces/mesh-system/pods/https:mesh-apiserver-0:8443/proxy/readyz/mesh-database")
	return out // with an exit code, if it fails
}

// emptyVolume removes the server's database from its volume, which is a directory of
// this machine.
func emptyVolume(t *testing.T) {
	t.Helper()
	volume := kubectl(t, "", "-n", cluster.SystemNamespace, "get", "pvc", "data-mesh-apiserver-0", "-o", "jsonpath={.spec.volumeName}")
	path := kubectl(t, "", "get", "pv", volume, "-o", "jsonpath={.spec.local.path}")
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) == 0 {
		err = errors.New("there is nothing in it")
	}
	if err != nil {
		t.Fatalf("volume %s: %v", volume, err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(path, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func wantAlone(t *testing.T, watch *cluster.Watch, want string) {
	t.Helper()
	for _, connection := range []string{"new", "old"} {
		if got := watch.Outcomes(connection); !slices.Equal(got, []string{want}) {
			t.Errorf("%s connection: got %v, want %s alone", connection, got, want)
		}
	}
}
