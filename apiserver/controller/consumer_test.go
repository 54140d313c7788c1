// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestCallersObeyTheirOwnNamespacesRoutes: of the resources of a Service's port a proxy
// is sent that of its own namespace, whoever sees the Service.
func TestCallersObeyTheirOwnNamespacesRoutes(t *testing.T) {
	e := loaded(worldtest.Load(t, "testdata/features/visibility/in.yaml"))
	own := func(to string) []model.HTTPRoute {
		return []model.HTTPRoute{{Name: to, Backends: []model.Backend{{Service: model.ServiceKey{Namespace: "shop", Name: to}, Port: 80, Weight: 1}}}}
	}
	resources, err := envoy.Service(model.Service{Key: model.ServiceKey{Namespace: "shop", Name: "web"}, Ports: []model.ServicePort{{
		Number: 80, Protocol: model.ProtocolHTTP1, Routes: []model.Routes{{HTTP: own("v1")}, {Consumer: "front", HTTP: own("v2")}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []string{"", "namespace/shop"} {
		sent := map[string]string{}
		for _, r := range envoy.InView(view, append([]envoy.Resource(nil), resources...)) {
			if r.TypeURL == "type.googleapis.com/envoy.config.route.v3.RouteConfiguration" {
				sent[r.View] = r.Version
			}
		}
		if len(sent) != 2 {
			t.Fatalf("routes are in the views %v", sent)
		}
		for namespace, want := range map[string]string{"front": sent["consumer/front"], "shop": sent[view]} {
			proxy, found := e.World.Reader().Proxy(model.ProxyID{Namespace: namespace, Pod: namespace + "-1", UID: "uid-" + namespace + "-1"})
			if !found {
				t.Fatalf("no proxy in namespace %s", namespace)
			}
			got := ""
			for _, v := range append(proxy.Views, view) {
				if version, there := sent[v]; there {
					got = version
					break
				}
			}
			if got != want {
				t.Errorf("with the Service in view %q, a proxy of %s, of views %q, is sent %s, want %s of %v", view, namespace, proxy.Views, got, want, sent)
			}
		}
	}
}
