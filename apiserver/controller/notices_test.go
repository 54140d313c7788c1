// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestServiceIsToldOnceThatItsAddressIsAnothers: of two Services that claim an
// address, the younger one's author is told, once, and again if he makes it anew.
func TestServiceIsToldOnceThatItsAddressIsAnothers(t *testing.T) {
	e := loaded(worldtest.Load(t, "testdata/features/external-addresses/in.yaml"))
	about := func(name string) []string {
		var messages []string
		for _, n := range e.step(t.Context()).News {
			if n.About.Name == name {
				messages = append(messages, string(n.About.UID)+": "+n.Message)
			}
		}
		return messages
	}
	younger := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "younger", UID: "1"}}
	younger.CreationTimestamp = metav1.Now()
	younger.Spec.ExternalIPs = []string{"203.0.113.1"}
	const taken = "203.0.113.1 belongs to the Service web; calls to it do not come here"
	for _, test := range []struct {
		change func()
		want   []string
	}{
		{func() { e.World.SetService(younger) }, []string{"1: " + taken}},
		{func() {
			again := younger.DeepCopy()
			again.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			e.World.SetService(again)
		}, nil},
		{func() {
			remade := younger.DeepCopy()
			remade.UID = "2"
			e.World.SetService(remade)
		}, []string{"2: " + taken}},
	} {
		test.change()
		if diff := cmp.Diff(test.want, about("younger")); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	}
}
