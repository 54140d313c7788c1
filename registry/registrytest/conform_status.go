// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// all changes everything at once.
func (c *conformance) all(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	return changed(t, object, c.Status, c.Change, `{metadata: {labels: {team: books}, annotations: {a: b}, finalizers: [example.com/hold]}}`)
}

func (c *conformance) testStatus(t *testing.T) {
	created := c.create(t)
	updated, err := c.client.UpdateStatus(t.Context(), c.all(t, created), metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.all(t, created).Object["status"], updated.Object["status"]); diff != "" {
		t.Errorf("status, -written +got:\n%s", diff)
	}
	same := changed(t, updated, `{metadata: {resourceVersion: null, managedFields: null}, status: null}`)
	before := changed(t, created, `{metadata: {resourceVersion: null, managedFields: null}, status: null}`)
	if diff := cmp.Diff(before.Object, same.Object); diff != "" {
		t.Errorf("an update of the status changed the object: %s", diff)
	}
	absent := c.sample(t, c.Status, `{metadata: {name: absent}}`)
	if _, err := c.client.UpdateStatus(t.Context(), absent, metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("an update of the status of what is not there gave %v", err)
	}
}

func (c *conformance) testInvalidStatus(t *testing.T) {
	created := c.update(t, c.create(t), c.Status, "status")
	for _, change := range sorted(c.InvalidStatus) {
		_, err := c.client.UpdateStatus(t.Context(), changed(t, created, change), metav1.UpdateOptions{})
		ExpectCauses(t, err, c.InvalidStatus[change]...)
	}
}

// apply sends what a manager wants, with the whole sample's fields.
func (c *conformance) apply(t *testing.T, manager string, object *unstructured.Unstructured, subresources ...string) *unstructured.Unstructured {
	t.Helper()
	applied, err := c.client.Apply(t.Context(), object.GetName(), object, metav1.ApplyOptions{FieldManager: manager}, subresources...)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

// owned gives the fields that a manager owns, as JSON.
func owned(object *unstructured.Unstructured, manager string) string {
	var fields []string
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == manager {
			fields = append(fields, string(entry.FieldsV1.GetRawBytes()))
		}
	}
	return strings.Join(fields, " ")
}

func (c *conformance) testApply(t *testing.T) {
	applied := c.apply(t, "user", c.sample(t))
	if applied.GetGeneration() != 1 {
		t.Errorf("generation %d, want 1", applied.GetGeneration())
	}
	again := c.apply(t, "user", c.sample(t, c.Change))
	if again.GetGeneration() != 2 || !strings.Contains(owned(again, "user"), `"f:spec"`) {
		t.Errorf("after the second apply: generation %d, the user owns %s", again.GetGeneration(), owned(again, "user"))
	}
	before := changed(t, c.sample(t), `{spec: null}`, `{spec: `+c.Spec+`}`)
	_, err := c.client.Apply(t.Context(), before.GetName(), before, metav1.ApplyOptions{FieldManager: "another"})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "user"`) {
		t.Errorf("an apply of what another owns gave %v", err)
	}
}

func (c *conformance) testApplyOwnsNoStatus(t *testing.T) {
	applied := c.apply(t, "user", c.sample(t, c.Status))
	if status, _ := applied.Object["status"].(map[string]any); len(status) > 0 || strings.Contains(owned(applied, "user"), `"f:status"`) {
		t.Errorf("an apply of the object wrote its status: %v; the user owns %s", status, owned(applied, "user"))
	}
}

func (c *conformance) testApplyStatusOwnsStatus(t *testing.T) {
	created := c.create(t)
	wanted := changed(t, c.all(t, c.sample(t)), `{metadata: {finalizers: null}}`)
	applied := c.apply(t, "mesh-apiserver", wanted, "status")
	if cmp.Equal(created.Object["status"], applied.Object["status"]) || applied.GetGeneration() != 1 {
		t.Errorf("generation %d, status %v", applied.GetGeneration(), applied.Object["status"])
	}
	fields := owned(applied, "mesh-apiserver")
	if !strings.Contains(fields, `"f:status"`) || strings.Contains(fields, `"f:spec"`) || strings.Contains(fields, `"f:metadata"`) {
		t.Errorf("an apply of the status owns %s", fields)
	}
}
