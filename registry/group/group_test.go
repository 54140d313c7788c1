// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package group_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/install"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/meshconfig"
	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
)

// second is a group of two versions: the older has one of its kinds.
const second = "second.test"

func schemeOfTwo() *runtime.Scheme {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	newer, older := schema.GroupVersion{Group: second, Version: "v2"}, schema.GroupVersion{Group: second, Version: "v1"}
	hub := schema.GroupVersion{Group: second, Version: runtime.APIVersionInternal}
	for _, gv := range []schema.GroupVersion{hub, newer, older} {
		scheme.AddKnownTypes(gv, &v1alpha1.MeshPolicy{}, &v1alpha1.MeshPolicyList{})
	}
	for _, gv := range []schema.GroupVersion{hub, newer} {
		scheme.AddKnownTypes(gv, &v1alpha1.MeshConfig{}, &v1alpha1.MeshConfigList{})
	}
	utilruntime.Must(scheme.SetVersionPriority(newer, older))
	for _, gv := range []schema.GroupVersion{newer, older, {Version: "v1"}} {
		metav1.AddToGroupVersion(scheme, gv)
	}
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"}, &metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
	return scheme
}

func empty[O kind.Object](resource, singular string, list runtime.Object, object O) kind.Live[O] {
	return kind.Live[O]{
		Names:   kind.Names{Resource: schema.GroupResource{Group: second, Resource: resource}, Singular: singular},
		New:     func() O { return object },
		NewList: func() runtime.Object { return list.DeepCopyObject() },
		List:    func(string) ([]O, error) { return nil, nil },
	}
}

// Stored and live kinds, of one version and of several, are served side by side, and
// each version of each group has an APIService.
func TestGroupsAreServedInTheirVersions(t *testing.T) {
	groups := []group.Group{
		{Name: mesh.GroupName, Kinds: []kind.Kind{meshconfig.Kind}},
		{Name: second, Kinds: []kind.Kind{
			empty("calls", "call", &v1alpha1.MeshPolicyList{}, &v1alpha1.MeshPolicy{}),
			empty("edges", "edge", &v1alpha1.MeshConfigList{}, &v1alpha1.MeshConfig{}),
		}},
	}
	want := []string{"v1alpha1.mesh.openservicemesh.io", "v2.second.test", "v1.second.test"}
	if diff := cmp.Diff(want, group.APIServices(groups, schemeOfTwo())); diff != "" {
		t.Errorf("APIServices, -want +got:\n%s", diff)
	}

	server := registrytest.Start(t, schemeOfTwo(), groups...)
	client := discovery.NewDiscoveryClientForConfigOrDie(server.Client)
	for version, want := range map[string][]string{
		"mesh.openservicemesh.io/v1alpha1": {"meshconfigs", "meshconfigs/status"},
		"second.test/v1":                   {"calls"},
		"second.test/v2":                   {"calls", "edges"},
	} {
		list, err := client.ServerResourcesForGroupVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, resource := range list.APIResources {
			got = append(got, resource.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", version, diff)
		}
	}
	for _, version := range []string{"v1", "v2"} {
		if code, body := server.Request(t, http.MethodGet, "/apis/second.test/"+version+"/calls", ""); code != http.StatusOK || !strings.Contains(body, `"apiVersion":"second.test/`+version+`"`) {
			t.Errorf("list in %s: %d, %s", version, code, body)
		}
	}
}
