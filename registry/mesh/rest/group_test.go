// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/discovery"

	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
)

// Every kind of the scheme is served, side by side.
func TestGroupServesEveryKind(t *testing.T) {
	server := registrytest.Start(t, scheme.Scheme, Group(Config{SystemNamespace: "mesh-system"}))
	client, err := discovery.NewDiscoveryClientForConfig(server.Client)
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]bool{}, map[string]bool{}
	for _, version := range scheme.Scheme.PrioritizedVersionsForGroup(Group(Config{}).Name) {
		for name, t := range scheme.Scheme.KnownTypes(version) {
			if _, isObject := t.FieldByName("ObjectMeta"); isObject {
				want[version.String()+" "+name] = true
			}
		}
	}
	for _, list := range lists {
		for _, resource := range list.APIResources {
			got[list.GroupVersion+" "+resource.Kind] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds, -want +got:\n%s", diff)
	}
}
