// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/ack"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/informers/externalversions"
)

// proxies answer for all units alike.
type proxies struct{ connected, acked atomic.Int32 }

func (p *proxies) Units(...unit.ID) ack.State {
	return ack.State{Known: int(p.connected.Load()), Connected: int(p.connected.Load()), Acked: int(p.acked.Load())}
}

var workload = unit.ID{Kind: "workload", Name: "v"}

// TestWriter follows one policy from its report to its acknowledgement, over a
// server that refuses the first write as a conflict.
func TestWriter(t *testing.T) {
	policy := &v1alpha1.MeshPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", UID: "1", Generation: 3}}
	type write struct {
		*v1alpha1.MeshPolicy
		at time.Time
	}
	writes := make(chan write, 10)
	var attempts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if attempts.Add(1) == 1 {
			conflict := apierrors.NewConflict(schema.GroupResource{}, "p", nil).Status()
			w.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(w).Encode(conflict)
			return
		}
		at := time.Now()
		var got v1alpha1.MeshPolicy
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Method != http.MethodPut || r.URL.Path != "/apis/mesh.openservicemesh.io/v1alpha1/namespaces/a/meshpolicies/p/status" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		_ = json.NewEncoder(w).Encode(&got)
		writes <- write{&got, at}
	}))
	defer server.Close()
	client := versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	informers := externalversions.NewSharedInformerFactory(client, 0)
	cache := informers.Mesh().V1alpha1().MeshPolicies().Informer().GetIndexer()
	if err := cache.Add(policy); err != nil {
		t.Fatal(err)
	}
	var known proxies
	known.connected.Store(2)

	writer := New(&known, events.NewFakeRecorder(10), policyTarget(client, informers.Mesh().V1alpha1().MeshPolicies().Lister()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { writer.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()

	key := types.NamespacedName{Namespace: "a", Name: "p"}
	writer.Report(kindMeshPolicy, key, &report.Report{
		UID: "1", Generation: 3, Accepted: report.Verdict{True: true, Reason: report.ReasonAccepted}, Units: []unit.ID{workload},
	})
	first := <-writes
	if meta.IsStatusConditionTrue(first.Status.Conditions, v1alpha1.ConditionProgrammed) || first.Status.Proxies.Affected != 2 {
		t.Errorf("before any ACK the status is %+v", first.Status)
	}
	if err := cache.Update(first.MeshPolicy); err != nil {
		t.Fatal(err)
	}
	for acked := range int32(3) {
		known.acked.Store(acked)
		writer.Notify(workload)
	}
	second := <-writes
	// A write is paced from the end of the one before, and noted here at its start.
	if since := second.at.Sub(first.at); since < pause {
		t.Errorf("the second write came after %s", since)
	}
	if !meta.IsStatusConditionTrue(second.Status.Conditions, v1alpha1.ConditionProgrammed) || second.Status.Proxies.Acked != 2 {
		t.Errorf("after all ACKs the status is %+v", second.Status)
	}
}
