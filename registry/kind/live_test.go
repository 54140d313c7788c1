// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kind_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
	"github.com/openservicemesh/mesh-apiserver/registry/table"
)

// The group of the tests has kinds whose types the product has, so that OpenAPI
// knows them.
var version = schema.GroupVersion{Group: "live.test", Version: "v1"}

func liveScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, gv := range []schema.GroupVersion{version, {Group: version.Group, Version: runtime.APIVersionInternal}} {
		scheme.AddKnownTypes(gv, &v1alpha1.MeshPolicy{}, &v1alpha1.MeshPolicyList{}, &v1alpha1.MeshConfig{}, &v1alpha1.MeshConfigList{})
	}
	metav1.AddToGroupVersion(scheme, version)
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"}, &metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
	return scheme
}

// inNamespaces is a live kind with two objects in each of two namespaces, of which
// List knows nothing until they are known.
func inNamespaces(known *bool) kind.Live[*v1alpha1.MeshPolicy] {
	object := func(namespace, name string) *v1alpha1.MeshPolicy {
		return &v1alpha1.MeshPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
			Spec:       v1alpha1.MeshPolicySpec{Action: v1alpha1.PolicyActionAllow},
		}
	}
	list := func(namespace string) ([]*v1alpha1.MeshPolicy, error) {
		var all []*v1alpha1.MeshPolicy
		for _, in := range []string{"store", "buyer"} {
			if namespace == "" || namespace == in {
				all = append(all, object(in, "web"), object(in, "api"))
			}
		}
		if !*known {
			return nil, apierrors.NewServiceUnavailable("nothing is known yet")
		}
		return all, nil
	}
	return kind.Live[*v1alpha1.MeshPolicy]{
		Names:   kind.Names{Resource: schema.GroupResource{Group: version.Group, Resource: "meshpolicies"}, Singular: "meshpolicy", Short: []string{"lp"}, Namespaced: true},
		New:     func() *v1alpha1.MeshPolicy { return &v1alpha1.MeshPolicy{} },
		NewList: func() runtime.Object { return &v1alpha1.MeshPolicyList{} },
		Get: func(namespace, name string) (*v1alpha1.MeshPolicy, bool, error) {
			all, err := list(namespace)
			for _, object := range all {
				if object.Name == name {
					return object, true, err
				}
			}
			return nil, false, err
		},
		List: list,
		Table: table.Convertor[*v1alpha1.MeshPolicy]{
			Columns: []table.Column{{Name: "Action", Type: "string", Description: "What it does."}},
			Cells:   func(p *v1alpha1.MeshPolicy) []any { return []any{string(p.Spec.Action)} },
		},
	}
}

// ofTheCluster is a live kind with one object, outside of namespaces.
func ofTheCluster() kind.Live[*v1alpha1.MeshConfig] {
	one := func() *v1alpha1.MeshConfig {
		return &v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: "now"}}
	}
	return kind.Live[*v1alpha1.MeshConfig]{
		Names:   kind.Names{Resource: schema.GroupResource{Group: version.Group, Resource: "meshconfigs"}, Singular: "meshconfig"},
		New:     func() *v1alpha1.MeshConfig { return &v1alpha1.MeshConfig{} },
		NewList: func() runtime.Object { return &v1alpha1.MeshConfigList{} },
		Get:     func(_, name string) (*v1alpha1.MeshConfig, bool, error) { return one(), name == "now", nil },
		List:    func(string) ([]*v1alpha1.MeshConfig, error) { return []*v1alpha1.MeshConfig{one()}, nil },
		Table:   table.Convertor[*v1alpha1.MeshConfig]{Cells: func(*v1alpha1.MeshConfig) []any { return nil }},
	}
}

func TestLiveKindIsServedFromWhatIsKnown(t *testing.T) {
	known := true
	server := registrytest.Start(t, liveScheme(t), group.Group{Name: version.Group, Kinds: []kind.Kind{inNamespaces(&known), ofTheCluster()}})
	client, err := dynamic.NewForConfig(server.Client)
	if err != nil {
		t.Fatal(err)
	}
	live := client.Resource(version.WithResource("meshpolicies"))

	for name, test := range map[string]struct {
		namespace string
		options   metav1.ListOptions
		want      []string
	}{
		"all, in order":            {"", metav1.ListOptions{}, []string{"buyer/api", "buyer/web", "store/api", "store/web"}},
		"of a namespace":           {"store", metav1.ListOptions{}, []string{"store/api", "store/web"}},
		"of an empty namespace":    {"empty", metav1.ListOptions{}, nil},
		"by label":                 {"", metav1.ListOptions{LabelSelector: "app=web"}, []string{"buyer/web", "store/web"}},
		"by name":                  {"", metav1.ListOptions{FieldSelector: "metadata.name=api"}, []string{"buyer/api", "store/api"}},
		"by namespace":             {"", metav1.ListOptions{FieldSelector: "metadata.namespace!=store"}, []string{"buyer/api", "buyer/web"}},
		"by name in its namespace": {"store", metav1.ListOptions{FieldSelector: "metadata.name=api", LabelSelector: "app"}, []string{"store/api"}},
		"with a limit":             {"", metav1.ListOptions{Limit: 1}, []string{"buyer/api", "buyer/web", "store/api", "store/web"}},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := live.Namespace(test.namespace).List(t.Context(), test.options)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, item := range list.Items {
				got = append(got, item.GetNamespace()+"/"+item.GetName())
			}
			if diff := cmp.Diff(test.want, got); diff != "" || list.GetContinue() != "" {
				t.Errorf("continue %q, -want +got:\n%s", list.GetContinue(), diff)
			}
		})
	}
	if _, err := live.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.action=Allow"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a selector by a field that cannot be selected by gave %v", err)
	}

	if got, err := live.Namespace("store").Get(t.Context(), "web", metav1.GetOptions{}); err != nil || got.GetLabels()["app"] != "web" || got.GetKind() != "MeshPolicy" {
		t.Errorf("get: %v, %v", got, err)
	}
	if _, err := live.Namespace("store").Get(t.Context(), "gone", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get of what is not there: %v", err)
	}
	if got, err := client.Resource(version.WithResource("meshconfigs")).Get(t.Context(), "now", metav1.GetOptions{}); err != nil || got.GetNamespace() != "" {
		t.Errorf("get of the cluster: %v, %v", got, err)
	}
	known = false
	if _, err := live.List(t.Context(), metav1.ListOptions{}); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("list before anything is known: %v", err)
	}
}

func TestLiveKindIsOnlyRead(t *testing.T) {
	known := true
	server := registrytest.Start(t, liveScheme(t), group.Group{Name: version.Group, Kinds: []kind.Kind{inNamespaces(&known)}})
	client, err := dynamic.NewForConfig(server.Client)
	if err != nil {
		t.Fatal(err)
	}
	live := client.Resource(version.WithResource("meshpolicies")).Namespace("store")
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version.String(), "kind": "MeshPolicy", "metadata": map[string]any{"name": "web"}}}
	for verb, do := range map[string]func() error{
		"create": func() error { _, err := live.Create(t.Context(), object, metav1.CreateOptions{}); return err },
		"update": func() error { _, err := live.Update(t.Context(), object, metav1.UpdateOptions{}); return err },
		"patch": func() error {
			_, err := live.Patch(t.Context(), "web", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
			return err
		},
		"delete":           func() error { return live.Delete(t.Context(), "web", metav1.DeleteOptions{}) },
		"deletecollection": func() error { return live.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}) },
		"watch": func() error {
			events, err := live.Watch(t.Context(), metav1.ListOptions{})
			if err == nil {
				events.Stop()
			}
			return err
		},
	} {
		if err := do(); !apierrors.IsMethodNotSupported(err) {
			t.Errorf("%s: %v", verb, err)
		}
	}
	stored, err := server.Etcd.Get(t.Context(), "/test/meshpolicies")
	if err != nil || stored.Count != 0 {
		t.Errorf("etcd: %v, %v", stored, err)
	}

	found, err := discovery.NewDiscoveryClientForConfigOrDie(server.Client).ServerResourcesForGroupVersion(version.String())
	if err != nil {
		t.Fatal(err)
	}
	want := []metav1.APIResource{{Name: "meshpolicies", SingularName: "meshpolicy", Namespaced: true, Kind: "MeshPolicy",
		ShortNames: []string{"lp"}, Categories: []string{"mesh"}, Verbs: metav1.Verbs{"get", "list"}}}
	if diff := cmp.Diff(want, found.APIResources); diff != "" {
		t.Errorf("discovery, -want +got:\n%s", diff)
	}

	_, body := server.Request(t, http.MethodGet, "/apis/live.test/v1/namespaces/store/meshpolicies", "", "Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
	var table metav1.Table
	if err := json.Unmarshal([]byte(body), &table); err != nil || len(table.Rows) != 2 || table.Rows[0].Cells[1] != "Allow" {
		t.Errorf("table: %v, %s", err, body)
	}
	if _, body := server.Request(t, http.MethodGet, "/openapi/v3/apis/live.test/v1", ""); !strings.Contains(body, `"MeshPolicyList"`) {
		t.Errorf("OpenAPI does not know the list")
	}
}
