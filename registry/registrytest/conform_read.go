// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
)

func (c *conformance) testDiscovery(t *testing.T) {
	client, err := discovery.NewDiscoveryClientForConfig(c.Client)
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.ServerResourcesForGroupVersion(c.gvk.GroupVersion().String())
	if err != nil {
		t.Fatal(err)
	}
	want := []metav1.APIResource{{
		Name: c.names.Resource.Resource, SingularName: c.names.Singular, Namespaced: c.names.Namespaced, Kind: c.gvk.Kind,
		ShortNames: c.names.Short, Categories: []string{"mesh"},
		Verbs: metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"},
	}}
	if c.hasStatus {
		want = append(want, metav1.APIResource{
			Name: c.names.Resource.Resource + "/status", Namespaced: c.names.Namespaced, Kind: c.gvk.Kind, Verbs: metav1.Verbs{"get", "patch", "update"},
		})
	}
	for i := range list.APIResources {
		list.APIResources[i].StorageVersionHash = ""
	}
	if diff := cmp.Diff(want, list.APIResources); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// kubectl explain reads this. Names with slashes would have to be escaped in it.
func (c *conformance) testOpenAPI(t *testing.T) {
	code, body := c.Request(t, http.MethodGet, "/openapi/v3/apis/"+c.gvk.GroupVersion().String(), "")
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, body)
	}
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Description string `json:"description"`
				Properties  map[string]struct {
					Description string `json:"description"`
				} `json:"properties"`
				Kinds []metav1.GroupVersionKind `json:"x-kubernetes-group-version-kind"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	described := false
	for name, schema := range document.Components.Schemas {
		described = described || slices.Contains(schema.Kinds, metav1.GroupVersionKind(c.gvk))
		if strings.ContainsAny(name, "/~") {
			t.Errorf("name with a slash: %s", name)
		}
		if strings.HasPrefix(name, "io.k8s.") {
			continue
		}
		if schema.Description == "" {
			t.Errorf("%s has no description", name)
		}
		for property, field := range schema.Properties {
			if field.Description == "" {
				t.Errorf("%s.%s has no description", name, property)
			}
		}
	}
	if !described {
		t.Errorf("%s is missing", c.gvk)
	}
}

func (c *conformance) testTable(t *testing.T) {
	created := c.create(t)
	paths := []string{c.path(), c.path() + "/" + created.GetName()}
	if c.hasStatus {
		paths = append(paths, c.path()+"/"+created.GetName()+"/status")
	}
	for _, path := range paths {
		_, body := c.Request(t, http.MethodGet, path, "", "Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
		var table metav1.Table
		if err := json.Unmarshal([]byte(body), &table); err != nil {
			t.Fatalf("%s: %v: %s", path, err, body)
		}
		var columns []string
		for _, column := range table.ColumnDefinitions {
			columns = append(columns, column.Name)
			if column.Description == "" || column.Type == "" {
				t.Errorf("column %s has no description or no type", column.Name)
			}
		}
		if diff := cmp.Diff(slices.Concat([]string{"Name"}, c.Columns, []string{"Age"}), columns); diff != "" {
			t.Errorf("%s: columns, -want +got:\n%s", path, diff)
		}
		if len(table.Rows) != 1 || len(table.Rows[0].Cells) != len(columns) {
			t.Fatalf("%s: %v", path, table.Rows)
		}
		// JSON has one type of number.
		got, _ := json.Marshal(table.Rows[0].Cells[:len(columns)-1])
		want, _ := json.Marshal(append([]any{created.GetName()}, c.Cells...))
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: cells, -want +got:\n%s", path, diff)
		}
	}
}

func (c *conformance) testSelectors(t *testing.T) {
	created := c.create(t, `{metadata: {labels: {team: books}}}`)
	found := func(options metav1.ListOptions) int {
		t.Helper()
		list, err := c.client.List(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	name := "metadata.name=" + created.GetName()
	for selector, want := range map[string]int{name: 1, "metadata.name=another": 0, name + ",metadata.namespace=another": 0} {
		if selector != name && !c.names.Namespaced {
			continue
		}
		if got := found(metav1.ListOptions{FieldSelector: selector}); got != want {
			t.Errorf("field selector %s found %d, want %d", selector, got, want)
		}
	}
	for selector, want := range map[string]int{"team=books": 1, "team!=books": 0} {
		if got := found(metav1.ListOptions{LabelSelector: selector}); got != want {
			t.Errorf("label selector %s found %d, want %d", selector, got, want)
		}
	}
	if _, err := c.client.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nothing=1"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a selector by a field that cannot be selected by gave %v", err)
	}
}

func (c *conformance) testWatch(t *testing.T) {
	name := c.sample(t).GetName()
	timeout := int64(60)
	events, err := c.client.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name, TimeoutSeconds: &timeout})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	c.update(t, c.create(t), c.Change)
	c.clear(t)
	for _, want := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted} {
		if event := <-events.ResultChan(); event.Type != want {
			t.Fatalf("event %s, want %s", event.Type, want)
		}
	}
}
