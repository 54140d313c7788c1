// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// api keeps objects by their paths, as an API server does that refuses an update of
// another version than its own. A real one does not run in a unit test.
type api struct {
	mu      sync.Mutex
	objects map[string]*unstructured.Unstructured
	version int
	// readOnly refuses updates; afterGet, if set, is called once, after a read.
	readOnly bool
	afterGet func()
}

func newAPI(t *testing.T) (*api, kubernetes.Interface) {
	t.Helper()
	a := &api{objects: map[string]*unstructured.Unstructured{}}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	return a, client
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	object, status := a.serve(r)
	if status != http.StatusOK {
		http.Error(w, "refused", status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object)
	if f := a.afterGet; r.Method == http.MethodGet && f != nil {
		a.afterGet = nil
		f()
	}
}

func (a *api) serve(r *http.Request) (*unstructured.Unstructured, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := r.URL.Path
	if r.Method == http.MethodGet {
		if a.objects[name] == nil {
			return nil, http.StatusNotFound
		}
		return a.objects[name], http.StatusOK
	}
	sent := &unstructured.Unstructured{}
	if err := json.NewDecoder(r.Body).Decode(sent); err != nil {
		return nil, http.StatusBadRequest
	}
	switch r.Method {
	case http.MethodPost:
		name = path.Join(name, sent.GetName())
	case http.MethodPut:
		if a.readOnly {
			return nil, http.StatusForbidden
		}
		if sent.GetResourceVersion() != a.objects[name].GetResourceVersion() {
			return nil, http.StatusConflict
		}
	}
	a.version++
	sent.SetResourceVersion(fmt.Sprint(a.version))
	a.objects[name] = sent
	return sent, http.StatusOK
}

// remove takes away what has a name.
func (a *api) remove(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.objects, func(at string, _ *unstructured.Unstructured) bool { return path.Base(at) == name })
}

// put brings a Secret back as it was.
func (a *api) put(t *testing.T, secret *corev1.Secret) {
	t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(secret)
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects[path.Join("/api/v1/namespaces", secret.Namespace, "secrets", secret.Name)] = &unstructured.Unstructured{Object: object}
}
