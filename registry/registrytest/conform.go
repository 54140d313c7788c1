// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
)

// Samples are objects of a kind, by which Conform tries it. Changes are JSON merge
// patches, in YAML.
type Samples struct {
	// Object is a valid manifest without a namespace that leaves out what has a
	// default. It warns of nothing.
	Object string
	// Spec is that of Object with every default.
	Spec string
	// Columns are those of the table between Name and Age, and Cells those of Object.
	Columns []string
	Cells   []any

	// Change is valid, and changes the spec.
	Change string
	// Surprise changes the spec to what is warned about by Warning. Both may be empty.
	Surprise, Warning string
	// Invalid are changes of metadata or spec to what is refused, with the causes that
	// ExpectCauses takes. At least one is of the spec alone.
	Invalid map[string][]string
	// Fixed are changes that are valid in a new object, and refused in one that is there.
	Fixed map[string][]string
	// BadName is a name that is refused. OneName kinds have one object, of one name.
	BadName string
	OneName bool

	// Status is a valid change of the status; InvalidStatus are refused.
	Status        string
	InvalidStatus map[string][]string
}

// Conform tries all that every kind must do on a real server and etcd.
func Conform[O kind.Object, Spec, Status any](t *testing.T, k kind.Stored[O, Spec, Status], samples Samples) {
	t.Helper()
	versions := scheme.Scheme.PrioritizedVersionsForGroup(k.Resource.Group)
	kinds, _, err := scheme.Scheme.ObjectKinds(k.New())
	if err != nil {
		t.Fatal(err)
	}
	server := Start(t, scheme.Scheme, group.Group{Name: k.Resource.Group, Kinds: []kind.Kind{k}})
	client, err := dynamic.NewForConfig(server.Client)
	if err != nil {
		t.Fatal(err)
	}
	c := &conformance{
		Samples: samples, Server: server, names: k.Names, hasStatus: k.Status != nil, deletedAtOnce: k.DeletedAtOnce,
		gvk: versions[0].WithKind(kinds[0].Kind), objects: k.Strategy(scheme.Scheme),
	}
	if c.hasStatus {
		c.statuses = k.StatusStrategy(scheme.Scheme)
	}
	all := client.Resource(versions[0].WithResource(k.Resource.Resource))
	c.client = all
	if k.Namespaced {
		c.client = all.Namespace(namespace)
	}
	c.run(t)
}

// namespace is that of all objects of a namespaced kind.
const namespace = "bookstore"

// conformance is a kind under test.
type conformance struct {
	Samples
	*Server
	names                    kind.Names
	gvk                      schema.GroupVersionKind
	hasStatus, deletedAtOnce bool
	objects, statuses        kind.Strategy
	client                   dynamic.ResourceInterface
}

func (c *conformance) run(t *testing.T) {
	checks := []struct {
		name string
		run  func(*testing.T)
	}{
		{"discovery tells its names", c.testDiscovery},
		{"OpenAPI describes every field", c.testOpenAPI},
		{"a new object is defaulted, of generation 1 and without a status", c.testCreate},
		{"an object is stored as protobuf", c.testStoredAsProtobuf},
		{"a dry run stores nothing", c.testDryRun},
		{"what was read can be written back", c.testRoundTrip},
		{"a change of metadata begins no generation", c.testMetadata},
		{"a change of the spec begins a generation", c.testSpec},
		{"an update names an object and its newest version", c.testVersions},
		{"what is invalid is refused when it is made", c.testInvalidCreate},
		{"a value of a wrong type is refused by its field", c.testWrongType},
		{"what is invalid is refused when it is changed", c.testInvalidUpdate},
		{"a spec that stays is not validated again", c.testUnchanged},
		{"an update leaves the stored object alone", c.testOldLeftAlone},
		{"a name is refused", c.testNames},
		{"a surprise is warned about", c.testWarnings},
		{"tables", c.testTable},
		{"selectors", c.testSelectors},
		{"a watch sees what comes and goes", c.testWatch},
		{"deletion", c.testDeletion},
		{"apply owns the fields that it sets", c.testApply},
	}
	if c.hasStatus {
		checks = append(checks, []struct {
			name string
			run  func(*testing.T)
		}{
			{"the status is written by itself", c.testStatus},
			{"the status is validated", c.testInvalidStatus},
			{"apply to an object owns no status", c.testApplyOwnsNoStatus},
			{"apply to a status owns nothing else", c.testApplyStatusOwnsStatus},
		}...)
	}
	for _, check := range checks {
		t.Run(check.name, func(t *testing.T) {
			defer c.clear(t)
			check.run(t)
		})
	}
}

// clear deletes all objects and forgets the warnings.
func (c *conformance) clear(t *testing.T) {
	t.Helper()
	if err := c.client.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Warnings()
}

// sample is Object with changes.
func (c *conformance) sample(t *testing.T, changes ...string) *unstructured.Unstructured {
	t.Helper()
	object := c.parse(t, c.Object)
	if object.GroupVersionKind() != c.gvk {
		t.Fatalf("the sample is %s, want %s", object.GroupVersionKind(), c.gvk)
	}
	return changed(t, object, changes...)
}

func (c *conformance) parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &object.Object); err != nil {
		t.Fatal(err)
	}
	// As the API's numbers come: whole ones as int64.
	return changed(t, object)
}

// changed gives a copy of an object with merge patches.
func changed(t *testing.T, object *unstructured.Unstructured, changes ...string) *unstructured.Unstructured {
	t.Helper()
	data, err := json.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		if change == "" {
			continue
		}
		patch, err := yaml.YAMLToJSON([]byte(change))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = jsonpatch.MergePatch(data, patch); err != nil {
			t.Fatalf("patch %s: %v", change, err)
		}
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return out
}

// create makes Object with changes.
func (c *conformance) create(t *testing.T, changes ...string) *unstructured.Unstructured {
	t.Helper()
	created, err := c.client.Create(t.Context(), c.sample(t, changes...), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// update changes an object, or a subresource of it.
func (c *conformance) update(t *testing.T, object *unstructured.Unstructured, change string, subresources ...string) *unstructured.Unstructured {
	t.Helper()
	updated, err := c.client.Update(t.Context(), changed(t, object, change), metav1.UpdateOptions{}, subresources...)
	if err != nil {
		t.Fatal(err)
	}
	return updated
}

// patch sends a merge patch.
func (c *conformance) patch(t *testing.T, name, change string, subresources ...string) (*unstructured.Unstructured, error) {
	t.Helper()
	patch, err := yaml.YAMLToJSON([]byte(change))
	if err != nil {
		t.Fatal(err)
	}
	return c.client.Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}, subresources...)
}

// path is the URL of the kind's objects.
func (c *conformance) path() string {
	if c.names.Namespaced {
		return fmt.Sprintf("/apis/%s/namespaces/%s/%s", c.gvk.GroupVersion(), namespace, c.names.Resource.Resource)
	}
	return fmt.Sprintf("/apis/%s/%s", c.gvk.GroupVersion(), c.names.Resource.Resource)
}

// sorted are the keys of samples, so that the order of tests is one.
func sorted(samples map[string][]string) []string {
	keys := make([]string, 0, len(samples))
	for change := range samples {
		keys = append(keys, change)
	}
	slices.Sort(keys)
	return keys
}
