// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// What leads callers outside the mesh to a Strict port is told once, and again only
// when it is so again.
func TestAServiceIsToldOnceOfCallersThatStrictRefuses(t *testing.T) {
	const service = "operator"
	e := loaded(worldtest.Load(t, "testdata/features/callers-outside/in.yaml"))
	e.step(t.Context())
	told := func() string {
		for _, n := range e.of(service) {
			if n.Reason == compile.ReasonOutsideRefused {
				return n.Message
			}
		}
		return ""
	}
	news := func() int {
		n := 0
		for _, one := range e.step(t.Context()).News {
			if one.Reason == compile.ReasonOutsideRefused && one.About.Kind == "Service" && one.About.Name == service {
				n++
			}
		}
		return n
	}
	namespace := func(annotation, value string) func() {
		return func() {
			worldtest.Set(e.World, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{annotation: value}}})
		}
	}
	pod := meshedPod(0)
	for _, step := range []struct {
		name   string
		change func()
		news   int
		says   string
	}{
		{"another pod like them comes", func() {
			pod.Name, pod.Namespace, pod.Labels = "another", "shop", map[string]string{"app": "operator", "pod-template-hash": "1"}
			pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "https", ContainerPort: 8443}}
			worldtest.Set(e.World, pod)
		}, 0, "8443"},
		{"one of the ports is opened by the Namespace", namespace(metadata.MTLSPortsAnnotation, "8443=Permissive"), 1, `"8000=Permissive"`},
		{"all are", namespace(metadata.MTLSPortsAnnotation, "8443=Permissive,8000=Permissive"), 0, ""},
		{"the Namespace says Strict of one of them: that is meant", namespace(metadata.MTLSPortsAnnotation, "8443=Permissive,8000=Strict"), 0, ""},
		{"it says nothing any more", namespace("example.org/a", "b"), 1, `"8000=Permissive,8443=Permissive"`},
		{"a webhook configuration goes", func() {
			e.World.DeleteMutatingWebhooks(world.Key{Name: "changes"})
		}, 1, `"8443=Permissive"`},
		{"the other goes", func() {
			e.World.DeleteValidatingWebhooks(world.Key{Name: "checks"})
		}, 1, "APIService v1.metrics.example.org"},
		{"the APIService is served elsewhere", func() {
			worldtest.Set(e.World, &apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: "v1.metrics.example.org"}})
		}, 0, ""},
		{"a webhook is called there again", func() {
			worldtest.Set(e.World, &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Webhooks: []admissionregistrationv1.ValidatingWebhook{
				{ClientConfig: admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: "shop", Name: service}}},
			}})
		}, 1, "ValidatingWebhookConfiguration late"},
		{"all pods exclude the port from their proxies", func() {
			for _, name := range []string{"operator", "another"} {
				e.World.DeletePod(world.Key{Namespace: "shop", Name: name})
			}
			pod = pod.DeepCopy()
			pod.Annotations = map[string]string{metadata.ExcludeInboundPorts: "8443"}
			worldtest.Set(e.World, pod)
		}, 0, ""},
		{"one does not", func() {
			other := pod.DeepCopy()
			other.Name, other.UID, other.Annotations = "other", "other", nil
			worldtest.Set(e.World, other)
		}, 1, "8443"},
		{"it has gone", func() { e.World.DeletePod(world.Key{Namespace: "shop", Name: "other"}) }, 0, ""},
	} {
		step.change()
		if got := news(); got != step.news {
			t.Errorf("%s: %d news, want %d", step.name, got, step.news)
		}
		if got := told(); (got == "") != (step.says == "") || !strings.Contains(got, step.says) {
			t.Errorf("%s: %q, want what says %q", step.name, got, step.says)
		}
	}
}

// A rollout makes many pods that are alike: one is told.
func TestOneOfThePodsThatAreAlikeIsToldThatPrometheusIsRefused(t *testing.T) {
	e := newTestEngine()
	e.setRoots(testRoots)
	news := func() (about []string) {
		for _, one := range e.step(t.Context()).News {
			about = append(about, one.About.Name+" "+string(one.About.UID)+" "+one.Message)
		}
		return about
	}
	scraped := func(name string, annotations map[string]string) {
		pod := meshedPod(0)
		pod.Name, pod.UID, pod.Annotations = name, types.UID("uid-"+name), annotations
		worldtest.Set(e.World, pod)
	}
	asks := map[string]string{metadata.ScrapeAnnotation: "true", metadata.ScrapePortAnnotation: "9090"}
	scraped("silent", nil)
	if got := news(); len(got) > 0 {
		t.Errorf("nothing is asked of Prometheus: told %q", got)
	}
	for i := range 5 {
		scraped(fmt.Sprint("pod-", i), asks)
	}
	if got := news(); len(got) != 1 || !strings.HasPrefix(got[0], "pod-0 uid-pod-0 container port 9090 refuses a Prometheus") {
		t.Errorf("five pods ask: told %q, want the first alone", got)
	}
	e.World.DeletePod(world.Key{Namespace: "shop", Name: "pod-0"})
	scraped("pod-9", asks)
	if got := news(); len(got) > 0 {
		t.Errorf("one is replaced: told %q", got)
	}
	worldtest.Set(e.World, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{metadata.MTLSPortsAnnotation: "9090=Permissive"}}})
	if got := news(); len(got) > 0 || len(e.Notices()) > 0 {
		t.Errorf("the port is open: told %q, and remembers %v", got, e.Notices())
	}
	worldtest.Set(e.World, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	if got := news(); len(got) != 1 {
		t.Errorf("it is Strict again: told %q", got)
	}
	for i := range 10 {
		e.World.DeletePod(world.Key{Namespace: "shop", Name: fmt.Sprint("pod-", i)})
	}
	news()
	if len(e.Notices()) > 0 {
		t.Errorf("they are gone: remembers %v", e.Notices())
	}
}
