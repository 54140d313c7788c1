// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// An entry that names no port may have meant any, so every port is Strict,
// though mesh, Namespace and podsMayLoosen would let it be Permissive.
func TestAnEntryThatNamesNoPortMakesEveryPortStrict(t *testing.T) {
	for value, strict := range map[string]bool{
		"9091=Permissive":        false,
		" 9091 = Permissive ":    false,
		"9091":                   true,
		"9091:Permissive":        true,
		"web=Permissive":         true,
		"0=Permissive":           true,
		"65536=Permissive":       true,
		"-1=Permissive":          true,
		"=Permissive":            true,
		"9091=Permissive,":       true,
		"9091=Permissive,9092":   true,
		"":                       true,
		"9091=Permissive 9092=x": false, // one entry, whose mode is unknown: port 9091 alone is Strict
	} {
		objects := worldtest.Load(t, "../testdata/features/unreadable-annotations/in.yaml")
		w := worldtest.World(withPorts(objects, value)...)
		seen := false
		for _, view := range w.Views() {
			if w.Reader().View(view).Labels["is"] != "no-port" {
				continue
			}
			m, _, ok := compile.Workload(w.Reader(), view)
			seen = ok
			for _, port := range m.Ports {
				if port.Number == 8080 && port.Permissive == strict {
					t.Errorf("mtls-ports %q: port 8080, which it does not name, is Permissive: %v", value, port.Permissive)
				}
			}
			if problems := compile.WorkloadProblems(w.Reader(), w.Reader().View(view)); strict && len(problems) == 0 {
				t.Errorf("mtls-ports %q: nothing is said of it", value)
			}
		}
		if !seen {
			t.Fatal("the pod has no view")
		}
	}
}

func withPorts(objects []metav1.Object, value string) []metav1.Object {
	for _, object := range objects {
		if pod, ok := object.(*corev1.Pod); ok && pod.Name == "no-port" {
			pod.Annotations[metadata.MTLSPortsAnnotation] = value
		}
	}
	return objects
}

// However many and long the names, what lets the callers in is in the Event.
func TestANoticeOfRefusedCallersNamesTheirRemedy(t *testing.T) {
	objects := worldtest.Load(t, "../testdata/features/callers-outside/in.yaml")
	w := worldtest.World(objects...)
	for i := range 20 {
		configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		configuration.Name = fmt.Sprintf("%d-%s", i, strings.Repeat("long", 60))
		for _, port := range []int32{443, 8000} {
			configuration.Webhooks = append(configuration.Webhooks, admissionregistrationv1.ValidatingWebhook{ClientConfig: admissionregistrationv1.WebhookClientConfig{
				Service: &admissionregistrationv1.ServiceReference{Namespace: "shop", Name: "operator", Port: &port},
			}})
		}
		worldtest.Set(w, configuration)
	}
	many := w.Reader().Service(world.Key{Namespace: "shop", Name: "many"}).DeepCopy()
	for i := range int32(100) {
		many.Spec.Ports = append(many.Spec.Ports, corev1.ServicePort{Name: fmt.Sprint("p", i), Port: 20000 + i})
	}
	worldtest.Set(w, many)
	for _, name := range []string{"operator", "many"} {
		notices := compile.ServiceNotices(w.Reader(), world.Key{Namespace: "shop", Name: name})
		if len(notices) != 1 || len(notices[0].Message) >= 1024 || !strings.HasSuffix(notices[0].Message, "of the Namespace shop, or write Strict there if that is meant") {
			t.Errorf("%s: %+v", name, notices)
		}
	}
}
