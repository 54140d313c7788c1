// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshconfig

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

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
	return registrytest.Create(registrytest.Context(t, config, "meshconfigs", ""), t, Kind.Strategy(scheme.Scheme), config)
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

func TestKind(t *testing.T) {
	registrytest.Conform(t, Kind, registrytest.Samples{
		Object: `{apiVersion: mesh.openservicemesh.io/v1alpha1, kind: MeshConfig, metadata: {name: default}, spec: {}}`,
		Spec: `{"certificate": {"lifetime": "24h0m0s", "trustDomain": "cluster.local"},
			"sidecar": {"concurrency": 2, "drainTime": "30s", "logLevel": "warning", "preStopSleep": "5s", "terminationDrain": "25s",
				"resources": {"requests": {"cpu": "50m", "memory": "96Mi"}}},
			"traffic": {"access": "Open", "egress": "Passthrough", "escapedSlashes": "Reject", "minimumTLSVersion": "TLSv1_3",
				"mtls": "Strict", "unmeshed": "Allow", "visibility": "Mesh"}}`,
		Columns: []string{"Access", "mTLS", "Unmeshed", "Egress", "Trust Domain", "Lifetime", "Image"},
		Cells:   []any{"Open", "Strict", "Allow", "Passthrough", "cluster.local", "24h0m0s", ""},

		Change: `{spec: {traffic: {access: DefaultDeny}}}`,
		Invalid: map[string][]string{
			`{metadata: {finalizers: [example.com/hold]}}`: {"metadata.finalizers: deleting the MeshConfig sets it back to the defaults at once"},
			`{spec: {traffic: {access: Closed}}}`:          {`spec.traffic.access: Unsupported value: "Closed": supported values: "DefaultDeny", "Open"`},
			`{spec: {certificate: {lifetime: 59m}}}`:       {`spec.certificate.lifetime: "59m0s": must be whole seconds`},
		},
		Fixed: map[string][]string{
			`{spec: {certificate: {trustDomain: mesh.example.com}}}`: {`spec.certificate.trustDomain: "mesh.example.com": must stay "cluster.local": it is in every identity and cannot be changed`},
		},
		BadName: "other",
		OneName: true,

		Status: `{status: {conditions: [{type: Accepted, status: "True", reason: InUse, message: "", lastTransitionTime: "2026-03-01T12:00:00Z"}]}}`,
		InvalidStatus: map[string][]string{
			`{status: {conditions: [{type: Accepted, status: "True", reason: "", message: "", lastTransitionTime: "2026-03-01T12:00:00Z"}]}}`: {"status.conditions[0].reason: Required value"},
		},
	})
}
