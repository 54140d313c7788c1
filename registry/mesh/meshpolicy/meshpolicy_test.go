// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
)

func TestKind(t *testing.T) {
	registrytest.Conform(t, Kind(system, cluster{services: []string{"bookstore/bookstore"}, accounts: []string{"bookbuyer/bookbuyer"}}), registrytest.Samples{
		Object: `
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshPolicy
metadata: {name: readers}
spec:
  targetRefs: [{kind: Service, name: bookstore}]
  action: Allow
  rules:
  - from: [{namespaces: [bookbuyer]}, {authenticated: {}}]
    to: [{http: {paths: [{value: /books}]}}]
`,
		Spec: `{"targetRefs": [{"kind": "Service", "name": "bookstore"}], "action": "Allow", "mode": "Enforce", "rules": [{
			"from": [{"namespaces": ["bookbuyer"]}, {"authenticated": {}}],
			"to": [{"http": {"paths": [{"type": "PathPrefix", "value": "/books"}]}}]}]}`,
		Columns: []string{"Action", "Mode", "Targets", "Rules", "Accepted", "Proxies", "Programmed", "Disconnected"},
		Cells:   []any{"Allow", "Enforce", "Service/bookstore", 1, "Unknown", "", "Unknown", ""},

		Change:   `{spec: {action: Deny}}`,
		Surprise: `{spec: {targetRefs: [{kind: Service, name: gone}], action: Allow}}`,
		Warning:  `spec.targetRefs[0]: Service "gone" does not exist in namespace "bookstore": until it does, the policy affects nothing by it`,
		Invalid: map[string][]string{
			`{spec: {rules: [{to: [{all: {}}]}]}}`: {"spec.rules[0].from: everybody in the mesh is [{authenticated: {}}]"},
			`{spec: {rules: [{from: [{authenticated: {}}], to: [{http: {paths: [{type: Glob, value: "/*"}]}}]}]}}`: {`spec.rules[0].to[0].http.paths[0].type: Unsupported value: "Glob"`},
			`{spec: {mode: Watch}}`:                       {`spec.mode: Unsupported value: "Watch"`},
			`{spec: {action: Deny, rules: [{from: []}]}}`: {"spec.rules[0].from: must not be an empty list"},
		},
		BadName: "No_Name",

		Status: `{status: {proxies: {affected: 3, acked: 2, disconnected: 1}, conditions: [
			{type: Accepted, status: "True", reason: Compiled, message: "", observedGeneration: 1, lastTransitionTime: "2026-03-01T12:00:00Z"}]}}`,
		InvalidStatus: map[string][]string{
			`{status: {conditions: [{type: Accepted, status: "True", reason: "", message: "", lastTransitionTime: "2026-03-01T12:00:00Z"}]}}`: {"status.conditions[0].reason: Required value"},
			`{status: {proxies: {affected: -1, acked: 3}}}`: {"status.proxies.affected: must be greater than or equal to 0", "status.proxies.acked: must be at most affected"},
		},
	})
}
