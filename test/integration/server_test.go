// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// ask gets a path of the server itself, past the aggregator.
func ask(t *testing.T, path string) string {
	t.Helper()
	out, err := server.Ask(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReadinessCoversEveryPart(t *testing.T) {
	out := ask(t, "/readyz?verbose")
	for _, part := range []string{"etcd", "etcd-readiness", "informer-sync", "mesh-informers", "mesh-xds", "mesh-root", "mesh-database",
		"mesh-control-plane-certificate", "mesh-signer", "mesh-podcertificate-admission", "mesh-serving-certificate", "shutdown"} {
		if !strings.Contains(out, "[+]"+part+" ok") {
			t.Errorf("readyz does not speak of %s:\n%s", part, out)
		}
	}
	out = ask(t, "/livez?verbose")
	for _, part := range []string{"etcd", "mesh-informers", "mesh-xds"} {
		if !strings.Contains(out, "[+]"+part+" ok") {
			t.Errorf("livez does not speak of %s:\n%s", part, out)
		}
	}
}

func TestVersionIsTheMeshs(t *testing.T) {
	out := ask(t, "/version")
	if !strings.Contains(out, `"major": "0"`) || !strings.Contains(out, `"minor": "1"`) {
		t.Errorf("got %s, want version 0.1", out)
	}
}

func TestMetricsAreForPrometheus(t *testing.T) {
	out, err := harness.Get(t.Context(), "http://"+server.Address+":9090/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range []string{"mesh_", "apiserver_request_total"} {
		if !strings.Contains(out, "\n"+metric) {
			t.Errorf("no metric begins with %s", metric)
		}
	}
}

// A slash in a model's name breaks generators of clients (OpenAPI's own grammar
// of component names has none).
func TestOpenAPINamesHaveNoSlash(t *testing.T) {
	// The aggregator drops what it publishes for a server that has just been away,
	// and asks for it again within a minute.
	await.Eventually(t, 2*soon, "the models of both versions", func(ctx context.Context) error {
		var v2 struct{ Definitions map[string]any }
		var v3 struct {
			Components struct{ Schemas map[string]any }
		}
		if err := errors.Join(raw(ctx, "/openapi/v2", &v2), raw(ctx, "/openapi/v3/apis/mesh.openservicemesh.io/v1alpha1", &v3)); err != nil {
			return err
		}
		for version, models := range map[string]map[string]any{"v2": v2.Definitions, "v3": v3.Components.Schemas} {
			policies := 0
			for name := range models {
				if strings.Contains(name, "/") {
					t.Errorf("%s: model name %q has a slash", version, name)
				}
				if strings.HasSuffix(name, ".MeshPolicy") {
					policies++
				}
			}
			if policies != 1 {
				return fmt.Errorf("%s: got %d models of MeshPolicy, want 1", version, policies)
			}
		}
		return nil
	})
}

// After an upgrade the aggregator names the models by the hash of the version
// before for a minute, and it passes no redirect to today's on.
func TestModelsAreServedUnderTheHashOfAnotherVersion(t *testing.T) {
	await.Eventually(t, 2*soon, "the models", func(ctx context.Context) error {
		var models struct {
			Components struct{ Schemas map[string]any }
		}
		if err := raw(ctx, "/openapi/v3/apis/mesh.openservicemesh.io/v1alpha1?hash=00", &models); err != nil {
			return err
		}
		if len(models.Components.Schemas) == 0 {
			return errors.New("there are no models")
		}
		return nil
	})
}

// raw reads JSON from a path of kube-apiserver.
func raw(ctx context.Context, path string, into any) error {
	out, err := kube.Kubectl(ctx, "", "get", "--raw", path)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}
