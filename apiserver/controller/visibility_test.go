// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestProxyIsSentWhatItsNamespaceSees: visibility decides what there is for a
// proxy, and an annotation of a Namespace acts at once.
func TestProxyIsSentWhatItsNamespaceSees(t *testing.T) {
	e := loaded(worldtest.Load(t, "testdata/features/visibility/in.yaml"))
	d := newDelivered()
	sees := func(namespace, cluster string) bool {
		d.take(e, e.step(t.Context()))
		id := model.ProxyID{Namespace: namespace, Pod: namespace + "-1", UID: "uid-" + namespace + "-1"}
		for _, view := range d.Proxies[id].Views {
			if _, ok := d.Resources[envoy.Key{TypeURL: clusterType, Name: cluster, View: view}]; ok {
				return true
			}
		}
		return false
	}
	annotate := func(namespace, value string) {
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		n.Labels = map[string]string{metadata.InjectLabel: metadata.InjectEnabled}
		n.Annotations = map[string]string{metadata.VisibilityAnnotation: value}
		e.World.SetNamespace(n)
	}
	expect := func(when string, want map[string]bool) {
		t.Helper()
		got := map[string]bool{}
		for cluster := range want {
			got[cluster] = sees("front", cluster)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, front sees (-want +got):\n%s", when, diff)
		}
	}
	expect("at first", map[string]bool{
		"out/front/web:80": true, "out/shop/web:80": true, "pods/shop/web": true, "out/shared/web:80": true, "out/default/web:80": true,
		"out/pay/web:80": false, "pods/pay/web": false, "out/pay/pods:8080/sa/web": false, "out/typo/web:80": false,
	})
	annotate("pay", "front")
	annotate("shop", "Namespace")
	expect("after two annotations", map[string]bool{
		"out/pay/web:80": true, "pods/pay/web": true, "out/pay/pods:8080/sa/web": true, "out/shop/web:80": false, "pods/shop/web": false,
	})
}

const clusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
