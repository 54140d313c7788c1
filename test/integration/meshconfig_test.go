// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
)

func meshConfig(t *testing.T) *v1alpha1.MeshConfig {
	t.Helper()
	config, err := client.MeshV1alpha1().MeshConfigs().Get(t.Context(), v1alpha1.MeshConfigName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestMeshConfigIsThereWithItsDefaults(t *testing.T) {
	spec := meshConfig(t).Spec
	got := fmt.Sprint(spec.Traffic, spec.Sidecar.LogLevel, *spec.Sidecar.Concurrency, spec.Sidecar.DrainTime.Duration,
		spec.Sidecar.TerminationDrain.Duration, spec.Sidecar.PreStopSleep.Duration, spec.Certificate.Lifetime.Duration, spec.Certificate.TrustDomain)
	if want := "{Open Strict Allow Passthrough Mesh [] Reject TLSv1_3}warning 2 30s 25s 5s 24h0m0scluster.local"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDeletionOfMeshConfigSetsItBackWithinASecond(t *testing.T) {
	bestOfThree(t, time.Second, "setting it back", func() time.Duration { return setBack(t) })
}

// setBack deletes a MeshConfig that differs from the defaults, and gives the time
// until one is there that does not.
func setBack(t *testing.T) time.Duration {
	t.Helper()
	before := meshConfig(t)
	kubectl(t, "", "patch", "meshconfig", "default", "--type=merge", "-p", `{"spec":{"traffic":{"access":"DefaultDeny"}}}`)
	configs := client.MeshV1alpha1().MeshConfigs()
	if err := configs.Delete(t.Context(), v1alpha1.MeshConfigName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	deleted := time.Now()
	await.Eventually(t, soon, "a new MeshConfig with the defaults", func(ctx context.Context) error {
		after, err := configs.Get(ctx, v1alpha1.MeshConfigName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if after.UID == before.UID || after.Spec.Traffic.Access != v1alpha1.AccessOpen {
			return fmt.Errorf("UID %s, access %s", after.UID, after.Spec.Traffic.Access)
		}
		return nil
	})
	return time.Since(deleted)
}

func TestThereIsOneMeshConfig(t *testing.T) {
	other := "{apiVersion: mesh.openservicemesh.io/v1alpha1, kind: MeshConfig, metadata: {name: other}}"
	if out, err := kube.Kubectl(t.Context(), other, "create", "-f", "-"); err == nil || !strings.Contains(out, `metadata.name: Invalid value: "other": must be "default"`) {
		t.Errorf("got %v, want a refusal of metadata.name", err)
	}
}

func TestInvalidMeshConfigsAreRefusedByFieldAndChangeNothing(t *testing.T) {
	before := meshConfig(t)
	for patch, want := range map[string][]string{
		`{"metadata":{"finalizers":["example.com/keep"]}}`:                                             {"metadata.finalizers", "must be empty"},
		`{"spec":{"traffic":{"mtls":"Off"}}}`:                                                          {"spec.traffic.mtls", `"Permissive"`, `"Strict"`},
		`{"spec":{"traffic":{"access":"Closed"}}}`:                                                     {"spec.traffic.access", `"DefaultDeny"`, `"Open"`},
		`{"spec":{"traffic":{"unmeshed":"Maybe"}}}`:                                                    {"spec.traffic.unmeshed", `"Allow"`, `"Refuse"`},
		`{"spec":{"traffic":{"egress":"Maybe"}}}`:                                                      {"spec.traffic.egress", `"Passthrough"`, `"Refuse"`},
		`{"spec":{"sidecar":{"logLevel":"loud"}}}`:                                                     {"spec.sidecar.logLevel", `"warning"`},
		`{"spec":{"sidecar":{"concurrency":0}}}`:                                                       {"spec.sidecar.concurrency", "greater than or equal to 1"},
		`{"spec":{"sidecar":{"concurrency":129}}}`:                                                     {"spec.sidecar.concurrency", "less than or equal to 128"},
		`{"spec":{"sidecar":{"drainTime":"2h"}}}`:                                                      {"spec.sidecar.drainTime", "1h0m0s"},
		`{"spec":{"sidecar":{"terminationDrain":"1500ms"}}}`:                                           {"spec.sidecar.terminationDrain", "whole seconds"},
		`{"spec":{"sidecar":{"image":"an image"}}}`:                                                    {"spec.sidecar.image", "without spaces"},
		`{"spec":{"sidecar":{"resources":{"requests":{"gpu":"1"}}}}}`:                                  {"spec.sidecar.resources.requests[gpu]", `"cpu"`, `"memory"`},
		`{"spec":{"certificate":{"lifetime":"5m"}}}`:                                                   {"spec.certificate.lifetime", "1h0m0s", "2184h0m0s"},
		`{"spec":{"certificate":{"trustDomain":"example.org"}}}`:                                       {"spec.certificate.trustDomain", `"example.org"`, `must stay "cluster.local"`},
		`{"spec":{"sidecar":{"resources":{"limits":{"cpu":"-1"}}}}}`:                                   {"spec.sidecar.resources.limits[cpu]", "greater than zero"},
		`{"spec":{"sidecar":{"resources":{"limits":{"memory":"16Mi"}, "requests":{"memory":"1Gi"}}}}}`: {"spec.sidecar.resources.requests[memory]", "16Mi"},
	} {
		t.Run(patch, func(t *testing.T) {
			for _, flag := range []string{"--dry-run=server", "--dry-run=none"} {
				wantRefusal(t, patch, want, "patch", "meshconfig", "default", "--type=merge", flag, "-p", patch)
			}
		})
	}
	if after := meshConfig(t); after.Generation != before.Generation || len(after.Finalizers) != 0 {
		t.Errorf("got generation %d and finalizers %v, want %d and none", after.Generation, after.Finalizers, before.Generation)
	}
}

// wantRefusal runs kubectl, which must fail with all of want in what it says.
func wantRefusal(t *testing.T, what string, want []string, args ...string) {
	t.Helper()
	out, err := kube.Kubectl(t.Context(), "", args...)
	if err == nil {
		t.Fatalf("%s was accepted: %s", what, out)
	}
	for _, words := range want {
		if !strings.Contains(out, words) {
			t.Errorf("the refusal of %s does not say %s:\n%s", what, words, out)
		}
	}
}
