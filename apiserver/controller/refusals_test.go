// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
)

// recorded keeps Events as "Kind namespace/name uid reason: note".
type recorded []string

func (r *recorded) Eventf(regarding, _ runtime.Object, _, reason, _, note string, args ...any) {
	o := regarding.(*corev1.ObjectReference)
	*r = append(*r, fmt.Sprintf("%s %s/%s %s %s: %s", o.Kind, o.Namespace, o.Name, o.UID, reason, fmt.Sprintf(note, args...)))
}

func TestRefusalIsToldOnTheServiceThatCausedItElseOnThePod(t *testing.T) {
	service := &corev1.ObjectReference{Kind: "Service", Namespace: "shop", Name: "books", UID: "7"}
	listener := envoy.Key{TypeURL: "listener", Name: "out/10.0.0.1:80"}
	endpoints := envoy.Key{TypeURL: "endpoints", Name: "out/shop/books:80"}
	gone := envoy.Key{TypeURL: "listener", Name: "out/10.0.0.2:80"}
	inbound := envoy.Key{TypeURL: "listener", Name: "inbound", View: "v"}
	objects := map[string]*corev1.ObjectReference{listener.Name: service, endpoints.Name: service}
	nack := func(key envoy.Key, message string) xds.Nack {
		return xds.Nack{
			Proxy:   model.ProxyID{Namespace: "buyers", Pod: "ann", UID: "9"},
			TypeURL: key.TypeURL, Name: key.Name, View: key.View, Message: message,
		}
	}
	within := func(n xds.Nack) xds.Nack {
		n.Proxy.Namespace = "shop"
		return n
	}
	for name, test := range map[string]struct {
		nack xds.Nack
		want []string
	}{
		"a Service's listener": {
			nack(listener, "address in use"),
			[]string{
				"Service shop/books 7 RejectedByProxy: a proxy of another namespace refused out/10.0.0.1:80, and keeps what it had; an Event on its pod, and the server's log, say why",
				"Pod buyers/ann 9 RejectedByProxy: buyers/ann/9 refused out/10.0.0.1:80, and keeps what it had: address in use",
			},
		},
		"a Service's listener, by a pod of its namespace": {
			within(nack(listener, "address in use")),
			[]string{"Service shop/books 7 RejectedByProxy: shop/ann/9 refused out/10.0.0.1:80, and keeps what it had: address in use"},
		},
		"a Service's endpoints": {
			nack(endpoints, "duplicate"),
			[]string{
				"Service shop/books 7 RejectedByProxy: a proxy of another namespace refused out/shop/books:80, and keeps what it had; an Event on its pod, and the server's log, say why",
				"Pod buyers/ann 9 RejectedByProxy: buyers/ann/9 refused out/shop/books:80, and keeps what it had: duplicate",
			},
		},
		"that of a Service which has gone": {
			nack(gone, "no"),
			[]string{"Pod buyers/ann 9 RejectedByProxy: buyers/ann/9 refused out/10.0.0.2:80, and keeps what it had: no"},
		},
		"the pod's own": {
			nack(inbound, "no"),
			[]string{"Pod buyers/ann 9 RejectedByProxy: buyers/ann/9 refused inbound, and keeps what it had: no"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got recorded
			refusals{&got}.tell(objects[test.nack.Name], test.nack)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("Envoy's words are cut at what an Event takes", func(t *testing.T) {
		var got recorded
		n := nack(inbound, strings.Repeat("long ", 1000))
		refusals{&got}.tell(objects[n.Name], n)
		if _, note, _ := strings.Cut(got[0], ": "); len(note) > maxNote {
			t.Errorf("the note has %d bytes", len(note))
		}
	})
}

// A pod in wrong hands refuses what it likes, in words of its own.
func TestWordsOfAPodAreOnNoObjectOfAnotherNamespace(t *testing.T) {
	for kind, object := range map[string]*corev1.ObjectReference{"a Service": {Kind: "Service", Namespace: "shop", Name: "books"}, "no object": nil} {
		var got recorded
		refusals{&got}.tell(object, xds.Nack{
			Proxy: model.ProxyID{Namespace: "buyers", Pod: "ann", UID: "9"}, Name: "out/10.0.0.1:80", Message: "call 0900 to mend this",
		})
		quoted := 0
		for _, event := range got {
			if !strings.Contains(event, "0900") {
				continue
			}
			quoted++
			if !strings.Contains(event, " buyers/") {
				t.Errorf("%s: %s", kind, event)
			}
		}
		if quoted != 1 {
			t.Errorf("%s: %d Events of %d quote the pod, want that on the pod alone", kind, quoted, len(got))
		}
	}
}

func TestSettingsThatCannotBeCompiledAreNotCalledInUse(t *testing.T) {
	e := newTestEngine()
	e.World.SetConfig(&v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	if told := configs(e.step(t.Context())); len(told) != 1 || told[0].Accepted.True {
		t.Errorf("without roots: %v", told)
	}
	e.setRoots(testRoots)
	if told := configs(e.step(t.Context())); len(told) != 1 || !told[0].Accepted.True {
		t.Errorf("with roots: %v", told)
	}
	if told := configs(e.step(t.Context())); len(told) != 0 {
		t.Error("told twice")
	}
}

// TestResourcesLeadToTheServiceThatTheyWereMadeOf: what proxies refuse is told there.
func TestResourcesLeadToTheServiceThatTheyWereMadeOf(t *testing.T) {
	for _, input := range []string{"allow-service", "headless"} {
		e := loaded(worldtest.Load(t, "testdata/features/"+input+"/in.yaml"))
		found := 0
		for _, r := range e.step(t.Context()).Set {
			object := e.Object(r.Key)
			if of := strings.HasPrefix(r.Name, "out/"); of != (object != nil && object.Kind == "Service") {
				t.Errorf("%s %s leads to %v", r.TypeURL, r.Name, object)
			} else if of {
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s: no resource is a Service's", input)
		}
	}
}
