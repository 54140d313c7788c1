// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshconfig

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/informers/externalversions"
)

// TestKeeper gives a server without a MeshConfig, whose database is confirmed after a
// while, which fails once, then takes one, and deletes it as soon as it is there.
func TestKeeper(t *testing.T) {
	created := make(chan *v1alpha1.MeshConfig, 10)
	events := make(chan metav1.WatchEvent, 10)
	fail := make(chan struct{}, 1)
	fail <- struct{}{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/mesh.openservicemesh.io/v1alpha1/meshconfigs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("watch") == "" {
			_ = json.NewEncoder(w).Encode(&v1alpha1.MeshConfigList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}})
			return
		}
		if r.URL.Query().Get("sendInitialEvents") != "" {
			_ = json.NewEncoder(w).Encode(endOfList())
		}
		for {
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case event := <-events:
				_ = json.NewEncoder(w).Encode(event)
			}
		}
	})
	mux.HandleFunc("POST /apis/mesh.openservicemesh.io/v1alpha1/meshconfigs", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-fail:
			http.Error(w, "not now", http.StatusInternalServerError)
			return
		default:
		}
		var config v1alpha1.MeshConfig
		if err := json.NewDecoder(r.Body).Decode(&config); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(&config)
		created <- &config
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	defer server.CloseClientConnections()
	client := versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	informers := externalversions.NewSharedInformerFactory(client, 0)
	var confirmed atomic.Bool
	keeper, err := New(client, informers, "mesh.example", func(context.Context, bool) error {
		if confirmed.Load() {
			return nil
		}
		return errors.New("the database is not the mesh's")
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	informers.StartWithContext(ctx)
	done := make(chan error)
	go func() { done <- keeper.Run(ctx) }()

	select {
	case config := <-created:
		t.Errorf("%s was created in a database that is not confirmed", config.Name)
	case <-time.After(2 * heldLook):
	}
	confirmed.Store(true)
	keeper.LookAgain()
	first := receive(t, created)
	if first.Name != "default" || first.Spec.Certificate.TrustDomain != "mesh.example" || len(first.Spec.Traffic.Access) > 0 {
		t.Errorf("created %+v, want default with nothing set but the trust domain", first)
	}
	first.Kind, first.APIVersion, first.ResourceVersion = "MeshConfig", v1alpha1.SchemeGroupVersion.String(), "2"
	// A machine that does much else may be late once: the best of three is held.
	took := time.Minute
	for tries := 0; took > time.Second && tries < 3; tries++ {
		start := time.Now()
		for _, kind := range []string{"ADDED", "DELETED"} {
			event := metav1.WatchEvent{Type: kind}
			event.Object.Object = first
			events <- event
		}
		receive(t, created)
		took = time.Since(start)
	}
	if took > time.Second {
		t.Errorf("made anew after %s", took)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// endOfList ends an empty list that is streamed as a watch (KEP-3157).
func endOfList() metav1.WatchEvent {
	bookmark := metav1.WatchEvent{Type: "BOOKMARK"}
	bookmark.Object.Object = &v1alpha1.MeshConfig{
		TypeMeta:   metav1.TypeMeta{Kind: "MeshConfig", APIVersion: v1alpha1.SchemeGroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}},
	}
	return bookmark
}

func receive(t *testing.T, created <-chan *v1alpha1.MeshConfig) *v1alpha1.MeshConfig {
	t.Helper()
	select {
	case config := <-created:
		return config
	case <-time.After(time.Minute):
		t.Fatal("no MeshConfig was created")
		return nil
	}
}
