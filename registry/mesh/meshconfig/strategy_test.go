// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshconfig

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
)

// decode gives a MeshConfig with these metadata and spec, with its defaults.
func decode(t *testing.T, metadata, spec string) *mesh.MeshConfig {
	t.Helper()
	return registrytest.Decode(t, fmt.Sprintf(`{
		"apiVersion": "mesh.openservicemesh.io/v1alpha1", "kind": "MeshConfig",
		"metadata": %s, "spec": %s}`, metadata, spec)).(*mesh.MeshConfig)
}

func create(t *testing.T, metadata, spec string) error {
	t.Helper()
	config := decode(t, metadata, spec)
	return registrytest.Create(registrytest.Context(t, config, "meshconfigs", ""), t, newStrategy(), config)
}

const named = `{"name": "default"}`

func TestNothingSaidIsTheDefault(t *testing.T) {
	written := decode(t, named, `{}`)
	registrytest.ExpectCauses(t, create(t, named, `{}`))
	made := &mesh.MeshConfig{}
	if err := scheme.Scheme.Convert(v1alpha1.NewDefaultMeshConfig(), made, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made.Spec, written.Spec); diff != "" {
		t.Errorf("what the server makes and what a user gets, differ: %s", diff)
	}
	empty := &mesh.MeshConfigSpec{}
	if apiequality.Semantic.DeepEqual(empty.Sidecar, made.Spec.Sidecar) {
		t.Error("the sidecar has no defaults")
	}
}

func TestValidSettings(t *testing.T) {
	for name, spec := range map[string]string{
		"closed": `{"traffic": {"access": "DefaultDeny", "mtls": "Strict", "unmeshed": "Refuse", "egress": "Refuse"}}`,
		"a sidecar": `{"sidecar": {"image": "registry.example/envoy:v1.40.0@sha256:abc", "logLevel": "debug", "concurrency": 4,
			"drainTime": "45s", "terminationDrain": "1m", "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "100m", "memory": "256Mi"}}}}`,
		"certificates": `{"certificate": {"lifetime": "1h", "trustDomain": "mesh.example.com"}}`,
		"the longest":  `{"certificate": {"lifetime": "2184h"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			registrytest.ExpectCauses(t, create(t, named, spec))
		})
	}
}

func TestInvalidSettings(t *testing.T) {
	for name, test := range map[string]struct {
		metadata, spec string
		wants          []string
	}{
		"another name": {`{"name": "other"}`, `{}`, []string{
			`metadata.name: "other": must be "default": there is one MeshConfig`}},
		"a finalizer": {`{"name": "default", "finalizers": ["example.com/hold"]}`, `{}`, []string{
			"metadata.finalizers: deleting the MeshConfig sets it back to the defaults at once"}},
		"modes": {named, `{"traffic": {"access": "Closed", "mtls": "Off", "unmeshed": "Deny", "egress": "Deny",
			"podsMayLoosen": ["egress"], "escapedSlashes": "Keep", "minimumTLSVersion": "TLSv1_1"}}`, []string{
			`spec.traffic.access: Unsupported value: "Closed": supported values: "DefaultDeny", "Open"`,
			`spec.traffic.mtls: Unsupported value: "Off": supported values: "Permissive", "Strict"`,
			`spec.traffic.podsMayLoosen[0]: Unsupported value: "egress": supported values: "access", "mtls"`,
			`spec.traffic.escapedSlashes: Unsupported value: "Keep": supported values: "Decode", "Reject"`,
			`spec.traffic.minimumTLSVersion: Unsupported value: "TLSv1_1": supported values: "TLSv1_2", "TLSv1_3"`,
			`spec.traffic.unmeshed: Unsupported value: "Deny": supported values: "Allow", "Refuse"`,
			`spec.traffic.egress: Unsupported value: "Deny": supported values: "Passthrough", "Refuse"`}},
		"the sidecar": {named, `{"sidecar": {"image": "envoy 1.40", "logLevel": "loud", "concurrency": 0, "drainTime": "1500ms", "terminationDrain": "2h"}}`, []string{
			"spec.sidecar.image: without spaces", `spec.sidecar.logLevel: Unsupported value: "loud"`,
			"spec.sidecar.concurrency: must be greater than or equal to 1",
			`spec.sidecar.drainTime: "1.5s": must be whole seconds, from 1s to 1h0m0s`, `spec.sidecar.terminationDrain: "2h0m0s": must be whole seconds`}},
		"resources": {named, `{"sidecar": {"resources": {"requests": {"cpu": "2", "nvidia.com/gpu": "1"}, "limits": {"cpu": "1", "memory": "0"}}}}`, []string{
			"spec.sidecar.resources.limits[memory]: must be greater than zero",
			"spec.sidecar.resources.requests[nvidia.com/gpu]: Unsupported value",
			`spec.sidecar.resources.requests[cpu]: "2": must be at most the limit of 1`}},
		"no time at all": {named, `{"sidecar": {"drainTime": "0s"}, "certificate": {"lifetime": "0s"}}`, []string{
			`spec.sidecar.drainTime: "0s": must be whole seconds, from 1s to 1h0m0s`, `spec.certificate.lifetime: "0s": must be whole seconds, from 1h0m0s to 2184h0m0s`}},
		"certificates": {named, `{"certificate": {"lifetime": "59m", "trustDomain": "Cluster_Local"}}`, []string{
			`spec.certificate.lifetime: "59m0s": must be whole seconds, from 1h0m0s to 2184h0m0s`, "spec.certificate.trustDomain: Invalid value"}},
	} {
		t.Run(name, func(t *testing.T) {
			registrytest.ExpectCauses(t, create(t, test.metadata, test.spec), test.wants...)
		})
	}
}

// update changes the stored default by the strategy, and gives what would be written.
func update(t *testing.T, by rest.RESTUpdateStrategy, subresource string, change func(*mesh.MeshConfig)) (*mesh.MeshConfig, error) {
	t.Helper()
	old := decode(t, `{"name": "default", "uid": "1", "resourceVersion": "7", "generation": 2}`, `{}`)
	config := old.DeepCopy()
	change(config)
	return config, rest.BeforeUpdate(by, registrytest.Context(t, old, "meshconfigs", subresource), config, old)
}

func TestTrustDomainStays(t *testing.T) {
	_, err := update(t, newStrategy(), "", func(c *mesh.MeshConfig) { c.Spec.Certificate.TrustDomain = "mesh.example.com" })
	registrytest.ExpectCauses(t, err, `spec.certificate.trustDomain: Invalid value: "mesh.example.com": must stay "cluster.local": it is in every identity and cannot be changed`)
}

func TestUpdateTakesNoFinalizer(t *testing.T) {
	_, err := update(t, newStrategy(), "", func(c *mesh.MeshConfig) { c.Finalizers = []string{"example.com/hold"} })
	registrytest.ExpectCauses(t, err, "metadata.finalizers: must be empty")
}

func TestUpdateOfSpecCountsAGeneration(t *testing.T) {
	config, err := update(t, newStrategy(), "", func(c *mesh.MeshConfig) {
		c.Spec.Traffic.Access = mesh.AccessDefaultDeny
		c.Status.Conditions = []metav1.Condition{{Type: "Accepted"}}
	})
	registrytest.ExpectCauses(t, err)
	if config.Generation != 3 {
		t.Errorf("generation %d, want 3", config.Generation)
	}
	if len(config.Status.Conditions) > 0 {
		t.Error("an update of the object changed its status")
	}
}

func TestUpdateOfStatusChangesNothingElse(t *testing.T) {
	config, err := update(t, statusStrategy{newStrategy()}, "status", func(c *mesh.MeshConfig) {
		c.Spec.Traffic.Access = mesh.AccessDefaultDeny
		c.Labels = map[string]string{"a": "b"}
		c.Status.Conditions = []metav1.Condition{{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "InUse", LastTransitionTime: metav1.Now()}}
	})
	registrytest.ExpectCauses(t, err)
	if config.Spec.Traffic.Access != mesh.AccessOpen || len(config.Labels) > 0 || config.Generation != 2 {
		t.Errorf("an update of the status changed the object: %v", config)
	}
	if len(config.Status.Conditions) != 1 {
		t.Error("the status is not what was written")
	}
}

func TestResetFields(t *testing.T) {
	const version = "mesh.openservicemesh.io/v1alpha1"
	if !newStrategy().GetResetFields()[version].Has(fieldpath.MakePathOrDie("status")) {
		t.Error("an apply of the object can own its status")
	}
	if !(statusStrategy{newStrategy()}).GetResetFields()[version].Has(fieldpath.MakePathOrDie("spec")) {
		t.Error("an apply of the status can own the spec")
	}
}

func TestTable(t *testing.T) {
	table, err := tableConvertor.ConvertToTable(t.Context(), decode(t, named, `{}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{"default", "Open", "Strict", "Allow", "Passthrough", "cluster.local", "24h0m0s", "", "<unknown>"}
	if diff := cmp.Diff(want, table.Rows[0].Cells); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
