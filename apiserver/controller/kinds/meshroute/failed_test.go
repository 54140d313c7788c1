// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshroute_test

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshroute"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/service"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// TestARouteOfAServiceThatRefusesIsNotInForce: the addresses of a Service that cannot be
// compiled refuse, whatever its Routes say.
func TestARouteOfAServiceThatRefusesIsNotInForce(t *testing.T) {
	w := world.New("cluster.local")
	w.SetService(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:       corev1.ServiceSpec{ClusterIPs: []string{"198.19.0.1"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	})
	origin := intent.Origin{Reference: meshroute.Reference(key("canary"))}
	w.SetRoutes(origin, []intent.Route{{Origin: origin, Parent: key("web"), HTTP: []intent.HTTPRule{{Name: "0"}}}})
	for _, why := range []error{nil, errors.New("out of range")} {
		w.SetFailed(service.ID(key("web")), why)
		product, err := meshroute.Unit.Build(w.Reader(), "shop/canary", nil)
		if err != nil || product.Report == nil || product.Report.Accepted.True != (why == nil) {
			t.Errorf("where the Service has failed with %v: %+v, %v", why, product.Report, err)
		}
	}
}
