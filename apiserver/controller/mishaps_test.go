// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// sniffed are a Service of shop, one of hidden, which front does not see, and a
// pod of each namespace, that of shop with a port that takes plaintext.
func sniffed() string {
	objects := `
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshConfig
metadata: {name: default, uid: u, generation: 1}
spec: {traffic: {podsMayLoosen: [mtls]}}
---
apiVersion: v1
kind: Namespace
metadata: {name: hidden, labels: {mesh.openservicemesh.io/inject: enabled}, annotations: {mesh.openservicemesh.io/visibility: Namespace}}
`
	for i, namespace := range []string{"front", "shop", "hidden"} {
		objects += fmt.Sprintf(`---
apiVersion: v1
kind: Pod
metadata: {namespace: %[1]s, name: web, uid: uid-%[1]s, labels: {app: web}, annotations: {mesh.openservicemesh.io/mtls-ports: "8080=Permissive, 9090=Permissive"}}
spec:
  serviceAccountName: web
  initContainers: [{name: mesh-proxy, restartPolicy: Always}]
  volumes: [{name: mesh-identity, projected: {sources: [{podCertificate: {signerName: mesh.openservicemesh.io/workload, keyType: ECDSAP256}}]}}]
  containers: [{name: app, ports: [{name: web, containerPort: 8080}]}]
status: {phase: Running, podIPs: [{ip: "198.18.0.1%[2]d"}]}
`, namespace, i)
		if namespace == "front" {
			continue
		}
		objects += fmt.Sprintf(`---
apiVersion: v1
kind: Service
metadata: {namespace: %[1]s, name: web, uid: uid-of-%[1]s, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  clusterIP: "198.19.0.1%[2]d"
  clusterIPs: ["198.19.0.1%[2]d"]
  selector: {app: web}
  ports: [{name: http-web, port: 80, targetPort: 8080}, {name: data, port: 5000}, {name: tcp-log, port: 5140, targetPort: 9090}, {name: events, port: 6000, targetPort: 7070}]
`, namespace, i)
	}
	return objects
}

// reporting is a controller with those objects, whose Events are kept.
func reporting(t *testing.T) (c *Controller, e *testEngine, told func(view string, m model.Mishap) []string) {
	t.Helper()
	recorder := events.NewFakeRecorder(1000)
	e = loaded(worldtest.Decode(t, []byte(sniffed())))
	c = &Controller{inbox: newInbox(), events: recorder, mishaps: newMishaps()}
	c.mishaps.after = func(_ time.Duration, f func()) { f() }
	return c, e, func(view string, m model.Mishap) []string {
		c.Mishap(view, m, 7)
		for _, event := range c.inbox.take() {
			event(e.state)
		}
		var out []string
		for len(recorder.Events) > 0 {
			out = append(out, <-recorder.Events)
		}
		slices.Sort(out)
		return out
	}
}

// viewIn gives the view of the pod of a namespace.
func viewIn(t *testing.T, e *testEngine, namespace string) string {
	t.Helper()
	views := e.World.Reader().ViewsIn(namespace)
	if len(views) != 1 {
		t.Fatalf("%d views in %s, want 1", len(views), namespace)
	}
	return views[0].Name
}

func onService(namespace, name string, port uint16, kind model.MishapKind) model.Mishap {
	return model.Mishap{Kind: kind, Service: model.ServiceKey{Namespace: namespace, Name: name}, Port: port}
}

// TestServiceIsToldOfConnectionsThatProxiesDidNotCarry: an Event names the port, who
// reports and the remedy; a proxy's word is taken only about Services that it sees,
// and about its own ports, and only where the declaration makes it possible.
func TestServiceIsToldOfConnectionsThatProxiesDidNotCarry(t *testing.T) {
	for name, test := range map[string]struct {
		from string
		m    model.Mishap
		// want are words that stand in one Event each.
		want [][]string
	}{
		"closed before an undeclared port was detected": {
			"front", onService("shop", "web", 5000, model.MishapUndetected),
			[][]string{{"Warning ClosedBeforeDetection port 5000 ", "proxies of namespace front report", "Declare appProtocol"}},
		},
		"TLS on a port of HTTP": {
			"front", onService("shop", "web", 80, model.MishapNotHTTP),
			[][]string{{"Warning NotHTTP port 80 ", "TLS", "proxies of namespace front report", "appProtocol https"}},
		},
		"a port that declares TCP is not detected": {"front", onService("shop", "web", 5140, model.MishapUndetected), nil},
		"nor HTTP":                                        {"front", onService("shop", "web", 5140, model.MishapNotHTTP), nil},
		"an undeclared port may be anything":              {"front", onService("shop", "web", 5000, model.MishapNotHTTP), nil},
		"a port that is not there":                        {"front", onService("shop", "web", 1, model.MishapNotHTTP), nil},
		"a Service that is not there":                     {"front", onService("shop", "db", 80, model.MishapNotHTTP), nil},
		"a Service that the proxy does not see":           {"front", onService("hidden", "web", 80, model.MishapNotHTTP), nil},
		"a Service of its own namespace":                  {"hidden", onService("hidden", "web", 80, model.MishapNotHTTP), [][]string{{"Warning NotHTTP port 80 "}}},
		"a view that is not there":                        {"", onService("shop", "web", 80, model.MishapNotHTTP), nil},
		"closed at a port of HTTP that takes plaintext":   {"shop", model.Mishap{Kind: model.MishapUndetected, Port: 8080}, [][]string{{"Warning ClosedBeforeDetection port 80 ", "Permissive", "server-first"}}},
		"TLS of strangers at it":                          {"shop", model.Mishap{Kind: model.MishapNotHTTP, Port: 8080}, [][]string{{"Warning NotHTTP port 80 ", "outside the mesh", "appProtocol https"}}},
		"closed at a port of TCP that takes plaintext":    {"shop", model.Mishap{Kind: model.MishapUndetected, Port: 9090}, [][]string{{"Warning ClosedBeforeDetection port 5140 "}}},
		"TLS of strangers at a port of TCP is carried":    {"shop", model.Mishap{Kind: model.MishapNotHTTP, Port: 9090}, nil},
		"a Strict port takes nothing but mutual TLS":      {"shop", model.Mishap{Kind: model.MishapUndetected, Port: 7070}, nil},
		"a pod that no Service selects speaks for itself": {"front", model.Mishap{Kind: model.MishapUndetected, Port: 8080}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, e, told := reporting(t)
			view := ""
			if test.from != "" {
				view = viewIn(t, e, test.from)
			}
			got := told(view, test.m)
			if len(got) != len(test.want) {
				t.Fatalf("told %q, want %d Events", got, len(test.want))
			}
			for i, words := range test.want {
				for _, word := range words {
					if !strings.Contains(got[i], word) {
						t.Errorf("%q does not say %q", got[i], word)
					}
				}
			}
		})
	}
}

// TestNoProxyFloodsAServiceWithEvents: of a Service's port one Event of a reason an
// hour, whoever reports and how often; what is invented costs a bounded memory.
func TestNoProxyFloodsAServiceWithEvents(t *testing.T) {
	c, e, told := reporting(t)
	now := time.Unix(0, 0)
	c.mishaps.now = func() time.Time { return now }
	front, shop := viewIn(t, e, "front"), viewIn(t, e, "shop")
	count := func() int {
		n := 0
		for range 50 {
			for _, view := range []string{front, shop} {
				for _, port := range []uint16{5000, 6000} {
					n += len(told(view, onService("shop", "web", port, model.MishapUndetected)))
				}
			}
		}
		return n
	}
	var got []int
	for _, step := range []time.Duration{0, mishapSilence - time.Second, time.Second, mishapSilence} {
		now = now.Add(step)
		got = append(got, count())
	}
	// Two ports: at once, not within the hour, and again after each.
	if diff := cmp.Diff([]int{2, 0, 2, 2}, got); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
	for i := range 2 * maxMishapsOfView {
		c.Mishap(front, onService("shop", fmt.Sprint("invented-", i), 80, model.MishapNotHTTP), 1)
	}
	if got := len(c.mishaps.waiting[front]); got != maxMishapsOfView {
		t.Errorf("%d reports of a view are kept, want %d", got, maxMishapsOfView)
	}
	for i := range 2 * maxMishaps {
		c.Mishap(fmt.Sprint("view-", i), onService("shop", "web", 80, model.MishapNotHTTP), 1)
	}
	if got := maxMishapsOfView + len(c.mishaps.waiting) - 1; got != maxMishaps {
		t.Errorf("%d reports are kept, want %d", got, maxMishaps)
	}
	if got := len(c.inbox.take()); got != 1 {
		t.Errorf("the loop has %d things to look at, want 1", got)
	}
}

// TestServiceThatIsMadeAnewIsToldAnew: what was told of one that is gone, or of a
// port, is forgotten, and so are its counts.
func TestServiceThatIsMadeAnewIsToldAnew(t *testing.T) {
	c, e, told := reporting(t)
	front, m := viewIn(t, e, "front"), onService("shop", "web", 80, model.MishapNotHTTP)
	if got := len(told(front, m)); got != 1 {
		t.Fatalf("%d Events, want 1", got)
	}
	key := world.Key{Namespace: "shop", Name: "web"}
	remade := e.World.Reader().Service(key).DeepCopy()
	remade.UID = "another"
	e.World.DeleteService(key)
	if got := told(front, m); len(got) > 0 {
		t.Errorf("told of a Service that is gone: %q", got)
	}
	e.World.SetService(remade)
	if got := len(told(front, m)); got != 1 {
		t.Errorf("%d Events about the new one, want 1", got)
	}
	without := remade.DeepCopy()
	without.Spec.Ports = without.Spec.Ports[1:]
	e.World.SetService(without)
	if got := told(front, m); len(got) > 0 || len(c.mishaps.told) > 0 {
		t.Errorf("of a port that is gone %q is told and %v remembered", got, c.mishaps.told)
	}
}
