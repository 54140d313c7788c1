// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	applyv1alpha1 "github.com/openservicemesh/mesh-apiserver/generated/applyconfiguration/mesh/v1alpha1"
)

// nothingExists is a cluster without Services and ServiceAccounts.
type nothingExists struct{}

func (nothingExists) ServiceExists(string, string) (exists, known bool)        { return false, true }
func (nothingExists) ServiceAccountExists(string, string) (exists, known bool) { return false, true }
func (nothingExists) NamespaceExists(string) (exists, known bool)              { return false, true }

var config = Config{SystemNamespace: "mesh-system", References: nothingExists{}}

// TestStorage serves the group once, since the start of etcd takes seconds.
func TestStorage(t *testing.T) {
	s := startServer(t, config)
	for name, test := range map[string]func(*testing.T, *testServer){
		"policy is defaulted, warned about and stored as protobuf": testPolicyIsDefaultedWarnedAboutAndStoredAsProtobuf,
		"dry run stores nothing":                                   testDryRunStoresNothing,
		"empty lists are refused by path":                          testEmptyListsAreRefusedByPath,
		"apply of object and status own their own fields":          testApplyOfObjectAndStatusOwnTheirOwnFields,
		"watch sees writes and deletecollection":                   testWatchSeesWritesAndDeletecollection,
		"update needs the newest version":                          testUpdateNeedsTheNewestVersion,
		"kubectl get prints the server's columns":                  testKubectlGetPrintsTheServersColumns,
		"MeshConfig is deleted at once":                            testMeshConfigIsDeletedAtOnce,
		"discovery":                                                testDiscovery,
		"OpenAPI has descriptions and names without slashes":       testOpenAPIHasDescriptionsAndNamesWithoutSlashes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { s.clear(t) })
			test(t, s)
		})
	}
}

func readers() *v1alpha1.MeshPolicy {
	return &v1alpha1.MeshPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "readers", Namespace: "bookstore"},
		Spec: v1alpha1.MeshPolicySpec{
			TargetRefs: []v1alpha1.PolicyTargetReference{{Kind: "Service", Name: "bookstore"}},
			Action:     v1alpha1.PolicyActionAllow,
			Rules: []v1alpha1.PolicyRule{{
				From: []v1alpha1.PolicySource{{Authenticated: &v1alpha1.Authenticated{}}},
				To:   []v1alpha1.PolicyDestination{{HTTP: &v1alpha1.HTTPMatch{Paths: []v1alpha1.PathMatch{{Value: "/books"}}}}},
			}},
		},
	}
}

func testPolicyIsDefaultedWarnedAboutAndStoredAsProtobuf(t *testing.T, s *testServer) {
	created, err := s.client.MeshV1alpha1().MeshPolicies("bookstore").Create(t.Context(), readers(), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if created.Spec.Mode != v1alpha1.PolicyModeEnforce || created.Spec.Rules[0].To[0].HTTP.Paths[0].Type != v1alpha1.PathMatchPathPrefix {
		t.Errorf("not defaulted: %v", created.Spec)
	}
	if created.Spec.Rules[0].From[0].Authenticated == nil {
		t.Error("an empty message was lost on its way through protobuf")
	}
	want := `spec.targetRefs[0]: Service "bookstore" does not exist in namespace "bookstore": until it does, the policy affects nothing by it`
	if got := s.warnings(); !slices.Equal(got, []string{want}) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	stored, err := s.etcd.Get(t.Context(), "/test/meshpolicies/bookstore/readers")
	if err != nil {
		t.Fatal(err)
	}
	if len(stored.Kvs) != 1 || !strings.HasPrefix(string(stored.Kvs[0].Value), "k8s\x00") {
		t.Errorf("not stored as protobuf: %v", stored.Kvs)
	}
}

func testDryRunStoresNothing(t *testing.T, s *testServer) {
	_, err := s.client.MeshV1alpha1().MeshPolicies("bookstore").Create(t.Context(), readers(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := s.etcd.Get(t.Context(), "/test/meshpolicies/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if stored.Count != 0 {
		t.Errorf("%d keys were written", stored.Count)
	}
}

// Empty lists are seen in JSON, whether it is created or applied.
func testEmptyListsAreRefusedByPath(t *testing.T, s *testServer) {
	const policy = `{"apiVersion": "mesh.openservicemesh.io/v1alpha1", "kind": "MeshPolicy", "metadata": {"name": "nobody"},
		"spec": {"action": "Deny", "rules": [{"from": []}]}}`
	for name, send := range map[string]func() (int, string){
		"create": func() (int, string) {
			return s.request(t, http.MethodPost, policiesPath, policy, "Content-Type", "application/json")
		},
		"apply": func() (int, string) {
			return s.request(t, http.MethodPatch, policiesPath+"/nobody?fieldManager=test", policy, "Content-Type", string(types.ApplyYAMLPatchType))
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := send()
			if code != http.StatusUnprocessableEntity || !strings.Contains(body, "spec.rules[0].from: Required value: must not be an empty list") {
				t.Errorf("%d: %s", code, body)
			}
		})
	}
}

func testApplyOfObjectAndStatusOwnTheirOwnFields(t *testing.T, s *testServer) {
	policies := s.client.MeshV1alpha1().MeshPolicies("bookstore")
	rule := applyv1alpha1.PolicyRule().WithFrom(applyv1alpha1.PolicySource().WithNamespaces("bookbuyer"))
	spec := applyv1alpha1.MeshPolicySpec().WithAction(v1alpha1.PolicyActionDeny).WithRules(rule)
	counts := applyv1alpha1.MeshPolicyStatus().WithProxies(applyv1alpha1.ProxyCounts().WithAffected(2).WithAcked(1))

	object := applyv1alpha1.MeshPolicy("deny", "bookstore").WithSpec(spec).WithStatus(counts)
	created, err := policies.Apply(t.Context(), object, metav1.ApplyOptions{FieldManager: "user"})
	if err != nil {
		t.Fatal(err)
	}
	if created.Status.Proxies != nil || created.Generation != 1 {
		t.Errorf("an apply of the object wrote its status: %v", created)
	}

	status := applyv1alpha1.MeshPolicy("deny", "bookstore").WithStatus(counts)
	updated, err := policies.ApplyStatus(t.Context(), status, metav1.ApplyOptions{FieldManager: "mesh-apiserver"})
	if err != nil {
		t.Fatal(err)
	}
	if updated.Status.Proxies == nil || updated.Generation != 1 {
		t.Errorf("the status was not written: %v", updated)
	}

	spec.Rules = nil
	spec.WithAction(v1alpha1.PolicyActionAllow).
		WithRules(rule.WithTo(applyv1alpha1.PolicyDestination().WithAll(v1alpha1.AllPorts{})))
	again, err := policies.Apply(t.Context(), object, metav1.ApplyOptions{FieldManager: "user"})
	if err != nil {
		t.Fatal(err)
	}
	if again.Generation != 2 || again.Status.Proxies == nil {
		t.Errorf("the second apply gave generation %d, status %v", again.Generation, again.Status)
	}
}

func testWatchSeesWritesAndDeletecollection(t *testing.T, s *testServer) {
	policies := s.client.MeshV1alpha1().MeshPolicies("bookstore")
	events, err := policies.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=readers"})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	if _, err := policies.Create(t.Context(), readers(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := policies.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []watch.EventType{watch.Added, watch.Deleted} {
		if event := <-events.ResultChan(); event.Type != want {
			t.Fatalf("event %s, want %s", event.Type, want)
		}
	}
}

func testUpdateNeedsTheNewestVersion(t *testing.T, s *testServer) {
	policies := s.client.MeshV1alpha1().MeshPolicies("bookstore")
	created, err := policies.Create(t.Context(), readers(), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	blind := created.DeepCopy()
	blind.ResourceVersion = ""
	if _, err := policies.Update(t.Context(), blind, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("an update without resourceVersion gave %v", err)
	}
}

func testKubectlGetPrintsTheServersColumns(t *testing.T, s *testServer) {
	if _, err := s.client.MeshV1alpha1().MeshPolicies("bookstore").Create(t.Context(), readers(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{policiesPath, policiesPath + "/readers", policiesPath + "/readers/status"} {
		_, body := s.request(t, http.MethodGet, path, "", "Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
		var table metav1.Table
		if err := json.Unmarshal([]byte(body), &table); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(table.Rows) != 1 || table.Rows[0].Cells[1] != "Allow" || table.Rows[0].Cells[3] != "Service/bookstore" {
			t.Errorf("%s: %v", path, table.Rows)
		}
	}
}

// Foreground and orphan deletion would hold other objects back by a finalizer.
func testMeshConfigIsDeletedAtOnce(t *testing.T, s *testServer) {
	configs := s.client.MeshV1alpha1().MeshConfigs()
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan, metav1.DeletePropagationBackground} {
		if _, err := configs.Create(t.Context(), v1alpha1.NewDefaultMeshConfig(), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := configs.Delete(t.Context(), v1alpha1.MeshConfigName, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			t.Fatal(err)
		}
		if _, err := configs.Get(t.Context(), v1alpha1.MeshConfigName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("after %s deletion: %v", policy, err)
		}
	}
}

func testDiscovery(t *testing.T, s *testServer) {
	list, err := s.client.Discovery().ServerResourcesForGroupVersion(v1alpha1.SchemeGroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]metav1.APIResource{
		"meshpolicies":        {SingularName: "meshpolicy", Namespaced: true, Kind: "MeshPolicy", ShortNames: []string{"mp"}, Categories: []string{"mesh"}},
		"meshpolicies/status": {Namespaced: true, Kind: "MeshPolicy"},
		"meshconfigs":         {SingularName: "meshconfig", Kind: "MeshConfig", ShortNames: []string{"mcfg"}, Categories: []string{"mesh"}},
		"meshconfigs/status":  {Kind: "MeshConfig"},
	}
	for _, got := range list.APIResources {
		one, ok := want[got.Name]
		if !ok || got.SingularName != one.SingularName || got.Namespaced != one.Namespaced || got.Kind != one.Kind ||
			!slices.Equal(got.ShortNames, one.ShortNames) || !slices.Equal(got.Categories, one.Categories) {
			t.Errorf("unexpected: %v", got)
		}
		delete(want, got.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// kubectl explain reads this. Names with slashes would have to be escaped in it.
func testOpenAPIHasDescriptionsAndNamesWithoutSlashes(t *testing.T, s *testServer) {
	code, body := s.request(t, http.MethodGet, "/openapi/v3/apis/mesh.openservicemesh.io/v1alpha1", "")
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
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	for name, schema := range document.Components.Schemas {
		if strings.ContainsAny(name, "/~") {
			t.Errorf("name with a slash: %s", name)
		}
		if !strings.HasPrefix(name, "io.openservicemesh.") {
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
	if _, ok := document.Components.Schemas["io.openservicemesh.mesh.v1alpha1.MeshPolicy"]; !ok {
		t.Error("MeshPolicy is missing")
	}
}
