// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/informers/externalversions"
)

// TestRolloutWritesAPolicyAtMostOnceASecond has 500 proxies connect and
// acknowledge under ten policies: each policy is written once a second at most,
// and its last counts are there within a second of the last ACK.
func TestRolloutWritesAPolicyAtMostOnceASecond(t *testing.T) {
	const policies, rollout = 10, 500
	type write struct {
		at     time.Time
		counts v1alpha1.ProxyCounts
	}
	var mu sync.Mutex
	writes := map[string][]write{}
	caught := make(chan *v1alpha1.MeshPolicy, 1000)
	defer close(caught)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got v1alpha1.MeshPolicy
		_ = json.NewDecoder(r.Body).Decode(&got)
		mu.Lock()
		writes[got.Name] = append(writes[got.Name], write{time.Now(), *got.Status.Proxies})
		mu.Unlock()
		caught <- &got
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(&got)
	}))
	defer server.Close()
	client := versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	informers := externalversions.NewSharedInformerFactory(client, 0)
	cache := informers.Mesh().V1alpha1().MeshPolicies().Informer().GetIndexer()
	var known proxies
	writer := New(&known, events.NewFakeRecorder(100), policyTarget(client, informers.Mesh().V1alpha1().MeshPolicies().Lister()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { writer.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	go func() { // what an informer does with each write
		for got := range caught {
			_ = cache.Update(got)
		}
	}()
	for i := range policies {
		policy := &v1alpha1.MeshPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: fmt.Sprint("p", i), UID: "1", Generation: 1}}
		if err := cache.Add(policy); err != nil {
			t.Fatal(err)
		}
		writer.Report(kindMeshPolicy, types.NamespacedName{Namespace: "a", Name: policy.Name}, &report.Report{
			UID: "1", Generation: 1, Accepted: report.Verdict{True: true, Reason: report.ReasonAccepted}, Units: []unit.ID{workload},
		})
	}

	// The rollout: a proxy comes, and answers, every few milliseconds.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range rollout {
		<-tick.C
		known.connected.Add(1)
		writer.Notify(workload)
		known.acked.Add(1)
		writer.Notify(workload)
	}
	end := time.Now()
	want := v1alpha1.ProxyCounts{Affected: rollout, Acked: rollout}
	settled := func() bool {
		mu.Lock()
		defer mu.Unlock()
		for i := range policies {
			w := writes[fmt.Sprint("p", i)]
			if len(w) == 0 || w[len(w)-1].counts != want {
				return false
			}
		}
		return true
	}
	for deadline := time.Now().Add(time.Minute); !settled(); {
		if time.Now().After(deadline) {
			t.Fatal("the last counts are not written")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("the last counts are there %s after the last ACK", time.Since(end).Round(time.Millisecond))
	mu.Lock()
	defer mu.Unlock()
	for name, w := range writes {
		for i := 1; i < len(w); i++ {
			// A write is paced from the end of the one before, and noted here at its start.
			if gap := w[i].at.Sub(w[i-1].at); gap < pause-100*time.Millisecond {
				t.Errorf("%s was written again after %s", name, gap)
			}
		}
	}
}
