// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chains

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/etcd"
)

func TestGenerationsSurviveARestart(t *testing.T) {
	client := newClient(t)
	store, stop := run(t, client)
	want := map[string]envoy.Generations{}
	// More than a page of etcd's answer.
	for i := range pageSize + 10 {
		view := fmt.Sprintf("view-%04d", i)
		want[view] = widened(t)
		store.Keep(t.Context(), view, want[view])
	}
	store.Keep(t.Context(), "gone", widened(t))
	store.Keep(t.Context(), "gone", nil)
	store.Keep(t.Context(), "never-widened", envoy.NextGenerations(nil, admitting("a")))
	stop()

	again := New(client)
	got, err := again.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Fatalf("views that are remembered (-want +got):\n%s", diff)
	}
	for view := range want {
		if got[view][9090].Name != want[view][9090].Name {
			t.Errorf("view %s: chain %s is remembered as %s", view, want[view][9090].Name, got[view][9090].Name)
		}
	}
}

func TestAViewThatIsGoneIsForgotten(t *testing.T) {
	client := newClient(t)
	store, stop := run(t, client)
	store.Keep(t.Context(), "view", widened(t))
	stop()

	store, stop = run(t, client)
	store.Keep(t.Context(), "view", nil)
	stop()
	got, err := New(client).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > 0 {
		t.Errorf("still remembered: %v", got)
	}
}

func TestABrokenRecordCostsNoOther(t *testing.T) {
	client := newClient(t)
	store, stop := run(t, client)
	store.Keep(t.Context(), "good", widened(t))
	stop()
	if _, err := client.Put(t.Context(), prefix+"bad", "{"); err != nil {
		t.Fatal(err)
	}
	got, err := New(client).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"good"}, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("views that are remembered (-want +got):\n%s", diff)
	}
}

// etcd takes no request of more than 1.5 MiB.
func TestARecordThatIsTooLargeHoldsUpNoOther(t *testing.T) {
	client := newClient(t)
	store := New(client)
	const small = 3 * maxRecords
	store.views["large"] = &view{kept: make([]byte, 2*maxBytes), pending: true}
	for i := range small {
		store.views[fmt.Sprint(i)] = &view{kept: make([]byte, 64<<10), pending: true}
	}
	err := store.write(t.Context())
	maps.DeleteFunc(store.views, func(_ string, v *view) bool { return !v.pending })
	if err == nil || len(store.views) != 1 {
		t.Errorf("%d records are pending (%v), want the large one alone", len(store.views), err)
	}
	if got, err := client.Get(t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly()); err != nil || got.Count != small {
		t.Errorf("%d records are there (%v), want %d", got.Count, err, small)
	}
}

// run loads and runs a Store until stop is called.
func run(t *testing.T, client *clientv3.Client) (store *Store, stop func()) {
	t.Helper()
	store = New(client)
	if _, err := store.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- store.Run(ctx) }()
	return store, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// widened are the generations of a port that has begun with less than it admits.
func widened(t *testing.T) envoy.Generations {
	t.Helper()
	return envoy.NextGenerations(envoy.NextGenerations(nil, admitting("a")), admitting("a", "b"))
}

func admitting(accounts ...string) model.Workload {
	source := model.Source{Authenticated: true}
	for _, account := range accounts {
		source.Principals = append(source.Principals, model.Principal{ID: model.SPIFFEID("cluster.local", "ns", account)})
	}
	return model.Workload{Ports: []model.InboundPort{{Number: 9090, Access: model.Access{
		Closed: true,
		Allow:  []model.Rule{{Name: "ns/policy/0", From: []model.Source{source}, To: []model.Match{{Kind: model.MatchAny}}}},
	}}}}
}

// newClient is one of a real etcd of the test's own.
func newClient(t *testing.T) *clientv3.Client {
	t.Helper()
	server, err := etcd.Start(t.Context(), etcd.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{server.Endpoint()}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return client
}
