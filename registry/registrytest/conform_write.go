// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
)

// labelled is a change of metadata alone. The server takes no generation from a client.
const labelled = `{metadata: {labels: {team: books}, generation: 40}}`

func (c *conformance) testCreate(t *testing.T) {
	created := c.create(t, c.Status, `{metadata: {generation: 7}}`)
	if created.GetGeneration() != 1 {
		t.Errorf("generation %d, want 1", created.GetGeneration())
	}
	var spec map[string]any
	if err := yaml.Unmarshal([]byte(c.Spec), &spec); err != nil {
		t.Fatal(err)
	}
	want := changed(t, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "x", "spec": spec}})
	if diff := cmp.Diff(want.Object["spec"], created.Object["spec"]); diff != "" {
		t.Errorf("spec, -want +got:\n%s", diff)
	}
	if status, _ := created.Object["status"].(map[string]any); len(status) > 0 {
		t.Errorf("the client's status was kept: %v", status)
	}
	if said := c.Warnings(); len(said) > 0 {
		t.Errorf("warned: %q", said)
	}
}

func (c *conformance) testStoredAsProtobuf(t *testing.T) {
	created := c.create(t)
	key := []string{"/test", c.names.Resource.Resource, created.GetNamespace(), created.GetName()}
	stored, err := c.Etcd.Get(t.Context(), strings.Join(slices.DeleteFunc(key, func(s string) bool { return s == "" }), "/"))
	if err != nil {
		t.Fatal(err)
	}
	if len(stored.Kvs) != 1 || !strings.HasPrefix(string(stored.Kvs[0].Value), "k8s\x00") {
		t.Errorf("stored: %v", stored.Kvs)
	}
}

func (c *conformance) testDryRun(t *testing.T) {
	if _, err := c.client.Create(t.Context(), c.sample(t), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatal(err)
	}
	stored, err := c.Etcd.Get(t.Context(), "/test/"+c.names.Resource.Resource+"/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if stored.Count != 0 {
		t.Errorf("%d keys were written", stored.Count)
	}
}

// Defaults that are not what they default to would change an object that nobody
// changes.
func (c *conformance) testRoundTrip(t *testing.T) {
	created := c.create(t)
	read, err := c.client.Get(t.Context(), created.GetName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(created.Object, read.Object); diff != "" {
		t.Errorf("read, -made +read:\n%s", diff)
	}
	if written := c.update(t, read, `{}`); written.GetResourceVersion() != read.GetResourceVersion() {
		t.Errorf("an update without a change was written: %s", cmp.Diff(read.Object, written.Object))
	}
}

func (c *conformance) testMetadata(t *testing.T) {
	updated := c.update(t, c.create(t), labelled)
	if updated.GetGeneration() != 1 || updated.GetLabels()["team"] != "books" {
		t.Errorf("generation %d, labels %v", updated.GetGeneration(), updated.GetLabels())
	}
}

func (c *conformance) testSpec(t *testing.T) {
	created := c.create(t)
	if c.hasStatus {
		created = c.update(t, created, c.Status, "status")
	}
	updated := c.update(t, created, c.Change)
	if updated.GetGeneration() != 2 {
		t.Errorf("generation %d, want 2", updated.GetGeneration())
	}
	if cmp.Equal(created.Object["spec"], updated.Object["spec"]) {
		t.Error("the spec is as it was")
	}
	if c.hasStatus {
		updated = c.update(t, updated, `{status: null}`)
	}
	if diff := cmp.Diff(created.Object["status"], updated.Object["status"]); diff != "" {
		t.Errorf("an update of the object changed its status: %s", diff)
	}
}

func (c *conformance) testVersions(t *testing.T) {
	if _, err := c.client.Update(t.Context(), c.sample(t), metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("an update of what is not there gave %v", err)
	}
	created := c.create(t)
	c.update(t, created, labelled)
	if _, err := c.client.Update(t.Context(), changed(t, created, c.Change), metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an update of an older version gave %v", err)
	}
	blind := changed(t, created, `{metadata: {resourceVersion: null}}`)
	if _, err := c.client.Update(t.Context(), blind, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("an update without resourceVersion gave %v", err)
	}
}

func (c *conformance) testInvalidCreate(t *testing.T) {
	for _, change := range sorted(c.Invalid) {
		_, err := c.client.Create(t.Context(), c.sample(t, change), metav1.CreateOptions{})
		ExpectCauses(t, err, c.Invalid[change]...)
		sample := c.sample(t, change)
		_, err = c.client.Apply(t.Context(), sample.GetName(), sample, metav1.ApplyOptions{FieldManager: "user"})
		ExpectCauses(t, err, c.Invalid[change]...)
	}
}

func (c *conformance) testWrongType(t *testing.T) {
	want := fmt.Sprintf("spec: must be an object, not a string; see kubectl explain %s.spec", strings.ToLower(c.gvk.Kind))
	if _, err := c.client.Create(t.Context(), c.sample(t, `{spec: everything}`), metav1.CreateOptions{}); !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("made: %v, want %s", err, want)
	}
	if _, err := c.patch(t, c.create(t).GetName(), `{spec: everything}`); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("patched: %v, want %s", err, want)
	}
}

func (c *conformance) testInvalidUpdate(t *testing.T) {
	created := c.create(t)
	for _, samples := range []map[string][]string{c.Invalid, c.Fixed} {
		for _, change := range sorted(samples) {
			_, err := c.client.Update(t.Context(), changed(t, created, change), metav1.UpdateOptions{})
			ExpectCauses(t, err, samples[change]...)
		}
	}
	read, err := c.client.Get(t.Context(), created.GetName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(created.Object, read.Object); diff != "" {
		t.Errorf("a refused update changed the object: %s", diff)
	}
}

// An object that today's rules refuse can still lose a label or a finalizer.
func (c *conformance) testUnchanged(t *testing.T) {
	tried := 0
	for _, change := range sorted(c.Invalid) {
		if slices.ContainsFunc(c.Invalid[change], func(cause string) bool { return !strings.HasPrefix(cause, "spec") }) {
			continue
		}
		tried++
		old := c.hub(t, c.sample(t, change, `{metadata: {uid: "1", resourceVersion: "7", labels: {team: books}}}`))
		object := c.hub(t, c.sample(t, change, `{metadata: {uid: "1", resourceVersion: "7"}}`))
		ctx := Context(t, old, c.names.Resource.Resource, "")
		ExpectCauses(t, rest.BeforeUpdate(c.objects, ctx, object, old))
	}
	if tried == 0 {
		t.Error("no sample has an invalid spec")
	}
}

// A store compares what it has with what it writes.
func (c *conformance) testOldLeftAlone(t *testing.T) {
	const held = `{metadata: {uid: "1", resourceVersion: "7", generation: 3}}`
	for _, strategy := range []kind.Strategy{c.objects, c.statuses} {
		if strategy == nil {
			continue
		}
		old := c.hub(t, c.sample(t, c.Status, held))
		before := old.DeepCopyObject()
		ExpectCauses(t, rest.BeforeUpdate(strategy, Context(t, old, c.names.Resource.Resource, ""), c.hub(t, c.sample(t, c.Change, held)), old))
		if diff := cmp.Diff(before, old); diff != "" {
			t.Errorf("the stored object was changed: %s", diff)
		}
	}
}

// hub gives the hub object of a manifest, in the namespace of the test.
func (c *conformance) hub(t *testing.T, object *unstructured.Unstructured) runtime.Object {
	t.Helper()
	if c.names.Namespaced {
		object.SetNamespace(namespace)
	}
	data, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	hub, err := runtime.Decode(scheme.Codecs.UniversalDecoder(), data)
	if err != nil {
		t.Fatal(err)
	}
	return hub
}

func (c *conformance) testNames(t *testing.T) {
	bad := c.sample(t)
	bad.SetName(c.BadName)
	_, err := c.client.Create(t.Context(), bad, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "metadata.name") {
		t.Errorf("the name %q gave %v", c.BadName, err)
	}
	if c.OneName {
		return
	}
	generated := c.sample(t)
	generated.SetName("")
	generated.SetGenerateName("some-")
	created, err := c.client.Create(t.Context(), generated, metav1.CreateOptions{})
	if err != nil || !strings.HasPrefix(created.GetName(), "some-") {
		t.Errorf("a name that the server makes: %v, %v", created, err)
	}
}

func (c *conformance) testWarnings(t *testing.T) {
	if c.Surprise == "" {
		return
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if said := c.Warnings(); !slices.Equal(said, want) {
			t.Errorf("%s: warned %q, want %q", when, said, want)
		}
	}
	object := c.create(t, c.Surprise)
	expect("made", c.Warning)
	object = c.update(t, object, labelled)
	expect("labelled")
	if c.hasStatus {
		object = c.update(t, object, c.Status, "status")
		expect("its status written")
	}
	object = c.update(t, object, c.Change)
	c.Warnings()
	c.update(t, object, c.Surprise)
	expect("changed back", c.Warning)
}

func (c *conformance) testDeletion(t *testing.T) {
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan, metav1.DeletePropagationBackground} {
		created := c.create(t)
		if err := c.client.Delete(t.Context(), created.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			t.Fatal(err)
		}
		held, err := c.client.Get(t.Context(), created.GetName(), metav1.GetOptions{})
		if c.deletedAtOnce || policy == metav1.DeletePropagationBackground {
			if !apierrors.IsNotFound(err) {
				t.Errorf("after %s deletion: %v", policy, err)
			}
			continue
		}
		// The garbage collector of the cluster takes the finalizer away.
		if err != nil || len(held.GetFinalizers()) != 1 || held.GetDeletionTimestamp() == nil {
			t.Fatalf("after %s deletion: %v, %v", policy, held, err)
		}
		c.update(t, held, `{metadata: {finalizers: null}}`)
	}
}
