// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshroute_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshroute"
)

func key(name string) intent.Key { return intent.Key{Namespace: "shop", Name: name} }

// TestRoutes gives one Route for each parent, in the words of intents.
func TestRoutes(t *testing.T) {
	route := &v1alpha1.MeshRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "canary", UID: "u", Generation: 3},
		Spec: v1alpha1.MeshRouteSpec{
			ParentRefs: []v1alpha1.RouteParentReference{
				{Kind: "Service", Name: "web", Port: ptr.To[int32](80)}, {Kind: "Service", Name: "api"}, {Group: "example.com", Kind: "Gateway", Name: "edge"},
			},
			HTTP: []v1alpha1.HTTPRouteRule{
				{Name: "shares", BackendRefs: []v1alpha1.HTTPBackendReference{
					{Kind: "Service", Name: "v1", Port: 80, Weight: ptr.To[int32](9)}, {Name: "v2", Port: 81}, {Kind: "Service", Name: "v3", Port: 82, Weight: ptr.To[int32](0)},
					{Group: "example.com", Kind: "Bucket", Name: "b", Port: 80},
				}},
				{},
			},
		},
	}
	origin := intent.Origin{Reference: meshroute.Reference(key("canary")), UID: "u", Generation: 3}
	rules := []intent.HTTPRule{
		{Name: "shares", Backends: []intent.Backend{
			{Service: key("v1"), Port: 80, Weight: 9}, {Service: key("v2"), Port: 81, Weight: 1}, {Service: key("v3"), Port: 82},
			// Of what is no Service the share is kept, and fails.
			{Weight: 1},
		}},
		{Name: "1"},
	}
	want := []intent.Route{
		{Origin: origin, Rank: intent.RankMeshRoute, Parent: key("web"), Port: 80, HTTP: rules},
		{Origin: origin, Rank: intent.RankMeshRoute, Parent: key("api"), HTTP: rules},
	}
	gotOrigin, got := meshroute.Routes(route)
	if diff := cmp.Diff(want, got); diff != "" || gotOrigin != origin {
		t.Errorf("of %v (-want +got):\n%s", gotOrigin, diff)
	}
}
