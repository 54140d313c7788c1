// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshroute

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
)

// cluster is the Services that exist in the namespace of the routes.
type cluster []string

func (c cluster) ServiceExists(namespace, name string) (exists, known bool) {
	return namespace == "bookstore" && slices.Contains(c, name), c != nil
}

func TestKind(t *testing.T) {
	registrytest.Conform(t, Kind(cluster{"bookstore", "v1", "v2"}), registrytest.Samples{
		Object: `
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshRoute
metadata: {name: canary}
spec:
  parentRefs: [{kind: Service, name: bookstore, port: 80}]
  http:
  - backendRefs: [{name: v1, port: 8080, weight: 0}, {name: v2, port: 8080}]
`,
		Spec: `{"parentRefs": [{"kind": "Service", "name": "bookstore", "port": 80}], "http": [{"backendRefs": [
			{"kind": "Service", "name": "v1", "port": 8080, "weight": 0}, {"kind": "Service", "name": "v2", "port": 8080, "weight": 1}]}]}`,
		Columns: []string{"Parents", "Accepted", "Programmed", "Proxies"},
		Cells:   []any{"Service/bookstore:80", "Unknown", "Unknown", ""},

		Change:   `{spec: {http: [{name: canary, backendRefs: [{name: v1, port: 8080, weight: 9}, {name: v2, port: 8080}]}]}}`,
		Surprise: `{spec: {http: [{backendRefs: [{name: v3, port: 8080}]}]}}`,
		Warning:  `spec.http[0].backendRefs[0]: Service "v3" does not exist in namespace "bookstore": until it does, the route sends nothing to it`,
		Invalid: map[string][]string{
			`{spec: {parentRefs: [], http: []}}`:                 {"spec.parentRefs: Required value", "spec.http: Required value"},
			`{spec: {http: [{backendRefs: []}]}}`:                {"spec.http[0].backendRefs: Required value"},
			`{spec: {parentRefs: [{kind: Gateway, name: web}]}}`: {`spec.parentRefs[0].kind: supported values: "Service"`},
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

// decode gives a route with this spec, defaulted.
func decode(t *testing.T, spec string) *mesh.MeshRoute {
	t.Helper()
	return registrytest.Decode(t, fmt.Sprintf(`{"apiVersion": "mesh.openservicemesh.io/v1alpha1", "kind": "MeshRoute",
		"metadata": {"name": "canary", "namespace": "bookstore"}, "spec": %s}`, spec)).(*mesh.MeshRoute)
}

const (
	parent   = `{"kind": "Service", "name": "bookstore"}`
	backends = `{"backendRefs": [{"name": "v1", "port": 80}]}`
)

func spec(parents, rules string) string {
	return fmt.Sprintf(`{"parentRefs": [%s], "http": [%s]}`, parents, rules)
}

func repeated(n int, item string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(item, i))
	}
	return strings.Join(all, ", ")
}

func TestValidation(t *testing.T) {
	for name, test := range map[string]struct {
		spec  string
		wants []string
	}{
		"one backend":       {spec(parent, backends), nil},
		"ports of a parent": {spec(`{"kind": "Service", "name": "bookstore", "port": 80}, {"kind": "Service", "name": "bookstore", "port": 81}`, backends), nil},
		"all weights 0":     {spec(parent, `{"backendRefs": [{"name": "v1", "port": 80, "weight": 0}]}`), nil},
		"the most of all": {spec(repeated(16, `{"kind": "Service", "name": "s%d"}`), repeated(16, `{"name": "r%d", "backendRefs": [`+
			strings.ReplaceAll(repeated(16, `{"group": "", "kind": "Service", "name": "b%d", "port": 65535, "weight": 1000000}`), "%", "%%")+`]}`)), nil},

		"nothing said": {`{}`, []string{"spec.parentRefs: Required value", "spec.http: Required value"}},
		"too many": {spec(repeated(17, `{"kind": "Service", "name": "s%d"}`), repeated(17, `{"name": "r%d", "backendRefs": [{"name": "v1", "port": 80}]}`)), []string{
			"spec.parentRefs: must have at most 16 items", "spec.http: must have at most 16 items"}},
		"too many backends": {spec(parent, `{"backendRefs": [`+repeated(17, `{"name": "b%d", "port": 80}`)+`]}`), []string{
			"spec.http[0].backendRefs: must have at most 16 items"}},
		"a parent of another kind": {spec(`{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"}`, backends), []string{
			`spec.parentRefs[0].group: Unsupported value: "gateway.networking.k8s.io"`, `spec.parentRefs[0].kind: supported values: "Service"`}},
		"a parent that says nothing": {spec(`{}`, backends), []string{"spec.parentRefs[0].kind: Required value", "spec.parentRefs[0].name: Required value"}},
		"a parent that is no name":   {spec(`{"kind": "Service", "name": "a.b"}`, backends), []string{"spec.parentRefs[0].name: Invalid value"}},
		"ports of parents out of range": {spec(`{"kind": "Service", "name": "a", "port": 0}, {"kind": "Service", "name": "b", "port": 65536}`, backends), []string{
			"spec.parentRefs[0].port: must be greater than or equal to 1", "spec.parentRefs[1].port: must be less than or equal to 65535"}},
		"parents twice": {spec(parent+`, `+parent+`, {"kind": "Service", "name": "bookstore", "port": 80}`, backends), []string{
			`spec.parentRefs[1]: Duplicate value: "bookstore"`, "spec.parentRefs[2].port: must be left out where another item names all ports"}},
		"names of rules": {spec(parent, `{"name": "a", `+backends[1:]+`, {"name": "a", `+backends[1:]+`, {"name": "7", `+backends[1:]+`, {"name": "No_Label", `+backends[1:]), []string{
			`spec.http[1].name: Duplicate value: "a"`, "spec.http[2].name: must not be digits alone", "spec.http[3].name: Invalid value"}},
		"a backend that says nothing": {spec(parent, `{"backendRefs": [{}]}`), []string{
			"spec.http[0].backendRefs[0].name: Required value", "spec.http[0].backendRefs[0].port: Required value"}},
		"backends of another kind": {spec(parent, `{"backendRefs": [{"group": "apps", "kind": "Deployment", "name": "v1", "port": 80}]}`), []string{
			`spec.http[0].backendRefs[0].group: Unsupported value: "apps"`, `spec.http[0].backendRefs[0].kind: supported values: "Service"`}},
		"numbers of backends out of range": {spec(parent, `{"backendRefs": [{"name": "v1", "port": 65536, "weight": -1}, {"name": "v2", "port": -1, "weight": 1000001}]}`), []string{
			"spec.http[0].backendRefs[0].port: must be less than or equal to 65535", "spec.http[0].backendRefs[0].weight: must be greater than or equal to 0",
			"spec.http[0].backendRefs[1].port: must be greater than or equal to 1", "spec.http[0].backendRefs[1].weight: must be less than or equal to 1000000"}},
		"a backend twice": {spec(parent, `{"backendRefs": [{"name": "v1", "port": 80}, {"name": "v1", "port": 81}, {"name": "v1", "port": 80, "weight": 2}]}`), []string{
			`spec.http[0].backendRefs[2]: Duplicate value: "v1"`}},
	} {
		t.Run(name, func(t *testing.T) {
			route := decode(t, test.spec)
			registrytest.ExpectCauses(t, registrytest.Create(registrytest.Context(t, route, "meshroutes", ""), t, Kind(nil).Strategy(scheme.Scheme), route), test.wants...)
		})
	}
}

func TestWarnings(t *testing.T) {
	for name, test := range map[string]struct {
		spec     string
		services Services
		want     []string
	}{
		"everything exists":    {spec(parent, backends), cluster{"bookstore", "v1"}, nil},
		"nothing is known yet": {spec(parent, backends), cluster(nil), nil},
		"nothing is asked":     {spec(parent, backends), nil, nil},
		"Services that do not exist": {spec(parent, backends), cluster{}, []string{
			`spec.parentRefs[0]: Service "bookstore" does not exist in namespace "bookstore": until it does, the route affects nothing by it`,
			`spec.http[0].backendRefs[0]: Service "v1" does not exist in namespace "bookstore": until it does, the route sends nothing to it`}},
		"rules after one that matches everything": {spec(parent, backends+`, {"backendRefs": [{"name": "v1", "port": 80, "weight": 0}]}`), nil, []string{
			"spec.http[1]: is never used: spec.http[0] matches every request"}},
		"all weights 0": {spec(parent, `{"backendRefs": [{"name": "v1", "port": 80, "weight": 0}, {"name": "v2", "port": 80, "weight": 0}]}`), nil, []string{
			"spec.http[0].backendRefs: all weights are 0: every request is answered with status 500"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, warnings(decode(t, test.spec), test.services)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	many := decode(t, spec(repeated(12, `{"kind": "Service", "name": "s%d"}`), backends))
	if got := warnings(many, cluster{"v1"}); len(got) != 9 || got[8] != "and 4 more warnings" {
		t.Errorf("got %d: %q", len(got), got)
	}
}

func TestParentsInTheTable(t *testing.T) {
	route := decode(t, spec(`{"kind": "Service", "name": "a", "port": 80}, {"kind": "Service", "name": "b"}`, backends))
	if got := cells(route)[0]; got != "Service/a:80,Service/b" {
		t.Errorf("parents: %v", got)
	}
}
