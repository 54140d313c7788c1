// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

func TestAnAnnotationThatDoesNotParseIsWarnedOfOnce(t *testing.T) {
	e := loaded(worldtest.Load(t, "testdata/features/unreadable-annotations/in.yaml"))
	got := map[corev1.ObjectReference]string{}
	for _, w := range warnings(e.step(t.Context())) {
		got[w.About] = w.Message
	}
	for about, want := range map[corev1.ObjectReference]string{
		{APIVersion: "v1", Kind: "Namespace", Name: "shop"}:                                     `annotation mesh.openservicemesh.io/access: "Closed" is neither DefaultDeny nor Open; it counts as DefaultDeny`,
		{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "mode", UID: "uid-mode"}:       `annotation mesh.openservicemesh.io/mtls: "permissive" is neither Strict nor Permissive; it counts as Strict`,
		{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "port", UID: "uid-port"}:       `annotation mesh.openservicemesh.io/mtls-ports: "8080=Off" is neither Strict nor Permissive; it counts as Strict`,
		{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "no-port", UID: "uid-no-port"}: `annotation mesh.openservicemesh.io/mtls-ports: "web=Permissive" is not a list such as "9090=Permissive"; every port counts as Strict`,
	} {
		if got[about] != want {
			t.Errorf("%s %s/%s: got %q, want %q", about.Kind, about.Namespace, about.Name, got[about], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d warnings: %v", len(got), got)
	}
	e.TouchAll()
	if again := warnings(e.step(t.Context())); len(again) != 0 {
		t.Errorf("warned again: %v", again)
	}
	worldtest.Set(e.World, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "u", Annotations: map[string]string{metadata.AccessAnnotation: "closed"}}})
	again := warnings(e.step(t.Context()))
	if len(again) != 1 || again[0].About != (corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: "shop", UID: "u"}) {
		t.Errorf("another wrong value: warned of %v", again)
	}
}

func TestPortsOfANamespaceThatDoNotParseAreWarnedOf(t *testing.T) {
	e := loaded(worldtest.Load(t, "testdata/features/mtls-ports-of-a-namespace/in.yaml"))
	got := map[string]string{}
	for _, w := range warnings(e.step(t.Context())) {
		got[strings.TrimSpace(w.About.Namespace+" "+w.About.Name)] = w.Message
	}
	want := map[string]string{
		"shop":       `annotation mesh.openservicemesh.io/mtls-ports: "9090=permissive" is neither Strict nor Permissive; it counts as Strict`,
		"unreadable": `annotation mesh.openservicemesh.io/mtls-ports: "web=Permissive" is not a list such as "9090=Permissive"; every port counts as Strict`,
		"shop strict-but-for-a-port": "annotation mesh.openservicemesh.io/mtls-ports: Permissive is less strict than the namespace, " +
			"and MeshConfig.spec.traffic.podsMayLoosen does not name mtls; it is not applied",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warned of (-want +got):\n%s", diff)
	}
}

func TestLooseningThatIsNotForPodsIsWarnedOf(t *testing.T) {
	e := loaded(worldtest.Load(t, "testdata/features/loosening-is-not-for-pods/in.yaml"))
	told := warnings(e.step(t.Context()))
	if len(told) != 1 || told[0].About.Name != "mtls" || !strings.Contains(told[0].Message, "podsMayLoosen does not name mtls") {
		t.Errorf("warned of %v", told)
	}
}

func TestNamesThatDoNothingAreWarnedOf(t *testing.T) {
	objects := worldtest.Load(t, "testdata/features/mtls-levels/in.yaml")
	e := loaded(objects)
	e.step(t.Context())
	pods := 0
	for _, o := range objects {
		switch o := o.(type) {
		case *corev1.Pod:
			pod := o.DeepCopy()
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, metadata.Prefix+"exclude-inbound-port", "9090")
			worldtest.Set(e.World, pod)
			pods++
		case *corev1.Namespace:
			namespace := o.DeepCopy()
			metav1.SetMetaDataAnnotation(&namespace.ObjectMeta, metadata.Prefix+"acess", "DefaultDeny")
			worldtest.Set(e.World, namespace)
		}
	}
	told := 0
	for _, w := range warnings(e.step(t.Context())) {
		want := "annotation mesh.openservicemesh.io/exclude-inbound-port does nothing: is mesh.openservicemesh.io/exclude-inbound-ports meant?"
		if w.About.Kind == "Namespace" {
			want = "annotation mesh.openservicemesh.io/acess does nothing: is mesh.openservicemesh.io/access meant?"
		} else {
			told++
		}
		if !strings.HasSuffix(w.Message, want) {
			t.Errorf("%s %s: %q does not end with %q", w.About.Kind, w.About.Name, w.Message, want)
		}
	}
	if told != pods || pods == 0 {
		t.Errorf("warned of %d of %d pods", told, pods)
	}
}

func TestWarningsAreEvents(t *testing.T) {
	recorder := events.NewFakeRecorder(2)
	c := &Controller{events: recorder}
	c.record([]engine.Notice{{Reason: compile.ReasonTrafficAnnotation, Message: "why " + strings.Repeat("x", 2*maxNote)}})
	event := <-recorder.Events
	if !strings.HasPrefix(event, "Warning TrafficAnnotation why x") || len(event) > maxNote+100 {
		t.Errorf("got %d bytes: %.60s", len(event), event)
	}
}

// An edited annotation keeps the names of all that is of a port, so that Envoy
// changes the listener in place and keeps the chains that stay the same.
func TestAnEditedAnnotationOfAPodChangesItsListenerAlone(t *testing.T) {
	objects := worldtest.Load(t, "testdata/features/mtls-levels/in.yaml")
	e := loaded(objects)
	before := bodies(e.step(t.Context()).Set)
	for _, o := range objects {
		if pod, ok := o.(*corev1.Pod); ok && pod.Name == "as-the-namespace" {
			pod = pod.DeepCopy()
			pod.Annotations = map[string]string{metadata.MTLSPortsAnnotation: "8080=Permissive"}
			worldtest.Set(e.World, pod)
		}
	}
	var changed []string
	for name, versions := range bodies(e.step(t.Context()).Set) {
		for version := range versions {
			if !before[name][version] {
				changed = append(changed, name)
			}
		}
	}
	if len(changed) != 1 || changed[0] != "inbound" {
		t.Errorf("%v have contents that nobody had before, want the listener alone", changed)
	}
}

// bodies are the versions of resources by their names.
func bodies(resources []envoy.Resource) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, r := range resources {
		if out[r.Name] == nil {
			out[r.Name] = map[string]bool{}
		}
		out[r.Name][r.Version] = true
	}
	return out
}
