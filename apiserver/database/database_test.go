// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/snapshot"
	"go.uber.org/zap"

	"github.com/openservicemesh/mesh-apiserver/apiserver/etcd"
)

const prefix = "/registry/mesh.openservicemesh.io"

func TestServersThatIdentifyANewDatabaseTogetherGetOneID(t *testing.T) {
	client := run(t, t.TempDir())
	ids := make([]string, 8)
	var together sync.WaitGroup
	for i := range ids {
		together.Go(func() { ids[i], _ = identify(t, client, prefix) })
	}
	together.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("got IDs %v, want one", ids)
		}
	}
	if other, _ := identify(t, client, "/registry/another-mesh"); other == ids[0] {
		t.Error("the mesh of another prefix has the same")
	}
}

func TestDatabaseIsUsedOnceItHasObjects(t *testing.T) {
	client := run(t, t.TempDir())
	if _, err := client.Put(t.Context(), "/registry/services/one", "of another"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, used := identify(t, client, prefix); used {
			t.Error("used while it is empty")
		}
	}
	if _, err := client.Put(t.Context(), prefix+"/mesh.openservicemesh.io/meshconfigs/default", "x"); err != nil {
		t.Fatal(err)
	}
	if _, used := identify(t, client, prefix); !used {
		t.Error("not used with an object in it")
	}
}

func TestIDGoesWithTheObjects(t *testing.T) {
	dir, client := t.TempDir(), run(t, t.TempDir())
	id, _ := identify(t, client, prefix)
	file := filepath.Join(dir, "snapshot.db")
	if _, err := snapshot.SaveWithVersion(t.Context(), zap.NewNop(), configOf(client.Endpoints()[0]), file); err != nil {
		t.Fatal(err)
	}
	if _, err := etcd.Restore(t.Context(), file, dir); err != nil {
		t.Fatal(err)
	}
	restored := run(t, dir)
	if got, _ := identify(t, restored, prefix); got != id {
		t.Errorf("a restored snapshot has ID %s, want %s", got, id)
	}

	if _, err := client.Delete(t.Context(), prefix, clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if got, err := New(client, prefix).ID(t.Context()); got != "" || err != nil {
		t.Errorf("an emptied database has ID %q, %v", got, err)
	}
	if got, _ := identify(t, client, prefix); got == id {
		t.Error("an emptied database has the same ID again")
	}
}

func identify(t *testing.T, client *clientv3.Client, prefix string) (id string, used bool) {
	t.Helper()
	id, used, err := New(client, prefix).Identify(t.Context())
	if err != nil {
		t.Error(err)
	}
	return id, used
}

// run runs an etcd in a directory until the test ends.
func run(t *testing.T, dir string) *clientv3.Client {
	t.Helper()
	server, err := etcd.Start(t.Context(), etcd.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientv3.New(configOf(server.Endpoint()))
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

func configOf(endpoint string) clientv3.Config {
	return clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()}
}
