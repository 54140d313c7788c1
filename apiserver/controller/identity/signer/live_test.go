// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// brokenAPI stands for an API server of which one resource fails, which a real
// one does not do when asked. It records what it was asked.
type brokenAPI struct {
	objects map[string]runtime.Object
	fails   string

	mu    sync.Mutex
	asked []string
}

func (a *brokenAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked = append(a.asked, r.Method+" "+r.URL.RequestURI())
	a.mu.Unlock()
	for resource, object := range a.objects {
		if !strings.Contains(r.URL.Path, "/"+resource+"/") || resource == "namespaces" && strings.Count(r.URL.Path, "/") > 4 {
			continue
		}
		if resource == a.fails {
			http.Error(w, "etcd has no leader", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(object)
		return
	}
	http.NotFound(w, r)
}

func (a *brokenAPI) signer(t *testing.T) *Signer {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return &Signer{client: client}
}

// A denial is final for a pod, so nothing that may be behind is asked: no list, no
// watch, and no get of a version that the API server may have in its cache.
func TestInformerThatLagsNeverCausesADenial(t *testing.T) {
	w, _ := sound(t)
	api := &brokenAPI{objects: map[string]runtime.Object{"pods": w.pod, "serviceaccounts": w.account, "namespaces": w.namespace}}
	if _, err := api.signer(t).live(context.Background(), w.request); err != nil {
		t.Fatal(err)
	}
	if len(api.asked) != 3 {
		t.Errorf("asked %v, want pod, account and namespace", api.asked)
	}
	for _, asked := range api.asked {
		if !strings.HasPrefix(asked, "GET ") || strings.Contains(asked, "resourceVersion") || strings.Contains(asked, "watch") {
			t.Errorf("asked %s, want a live get", asked)
		}
	}
}

func TestFaultOfTheAPIServerIsNoAbsence(t *testing.T) {
	for _, resource := range []string{"pods", "serviceaccounts", "namespaces"} {
		w, _ := sound(t)
		api := &brokenAPI{
			objects: map[string]runtime.Object{"pods": w.pod, "serviceaccounts": w.account, "namespaces": w.namespace},
			fails:   resource,
		}
		if live, err := api.signer(t).live(context.Background(), w.request); err == nil {
			t.Errorf("%s: decides by %+v, want an error", resource, live)
		}
	}
}
