// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// maintain gives the maintainer of a server, which acts when the test says so.
func maintain(t *testing.T, s *Server, m Maintenance) *maintainer {
	t.Helper()
	maintainer, err := s.newMaintainer(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = maintainer.client.Close() })
	return maintainer
}

func TestSnapshotIsTakenWhenDueAndTheOldestAreRemoved(t *testing.T) {
	s := startServer(t, t.TempDir())
	defer stopServer(t, s)
	m := maintain(t, s, Maintenance{SnapshotInterval: time.Hour, SnapshotsKept: 2})
	if err := os.MkdirAll(m.SnapshotDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, age := range []time.Duration{3 * time.Hour, 2 * time.Hour} {
		old := filepath.Join(m.SnapshotDir, time.Now().UTC().Add(-age).Format(snapshotName))
		if err := os.WriteFile(old, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time nothing is due
		if err := m.snapshotIfDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	taken, err := snapshots(m.SnapshotDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(taken) != 2 || time.Since(takenAt(taken[1])) > time.Minute {
		t.Fatalf("got %v, want the one of now and the one before", taken)
	}
	if err := verifySnapshot(filepath.Join(m.SnapshotDir, taken[1])); err != nil {
		t.Error(err)
	}
}

func TestNoSnapshotIsTakenWithoutAnInterval(t *testing.T) {
	m := &maintainer{Maintenance: Maintenance{SnapshotDir: t.TempDir()}}
	if err := m.snapshotIfDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if taken, err := snapshots(m.SnapshotDir); len(taken) > 0 || err != nil {
		t.Errorf("got %v, %v", taken, err)
	}
}

func TestRestoredDataIsThatOfTheSnapshotAtALaterRevision(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir)
	put(t, s.Endpoint(), "bookstore", "open")
	file, err := maintain(t, s, Maintenance{SnapshotsKept: 1}).snapshot(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.Endpoint(), "bookstore", "closed")
	seen := revision(t, s)
	if _, err := Restore(t.Context(), file, dir); err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("restoring below a running server gave %v", err)
	}
	stopServer(t, s)

	before, err := Restore(t.Context(), file, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(before, "member")); err != nil {
		t.Errorf("the data from before is not kept: %v", err)
	}
	s = startServer(t, dir)
	defer stopServer(t, s)
	wantValue(t, s.Endpoint(), "bookstore", "open")
	if got := revision(t, s); got <= seen {
		t.Errorf("revision %d is not later than %d, which clients have seen", got, seen)
	}
	c := newClient(t, s.Endpoint())
	defer c.Close()
	if _, err := c.Get(t.Context(), "bookstore", clientv3.WithRev(seen)); !errors.Is(err, rpctypes.ErrCompacted) {
		t.Errorf("a revision that clients have seen gives %v, want them to list anew", err)
	}
}

func TestDamagedSnapshotIsNotRestored(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir)
	file, err := maintain(t, s, Maintenance{SnapshotsKept: 1}).snapshot(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stopServer(t, s)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() []byte{
		"a bit is turned": func() []byte { content[len(content)/2] ^= 1; return content },
		"it is cut":       func() []byte { return content[:len(content)-100] },
		"it is empty":     func() []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			damaged := filepath.Join(t.TempDir(), "damaged")
			if err := os.WriteFile(damaged, damage(), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(t.Context(), damaged, dir); err == nil || !strings.Contains(err.Error(), damaged) {
				t.Errorf("got %v, want an error that names the file", err)
			}
		})
	}
	s = startServer(t, dir) // what was there still is
	stopServer(t, s)
}

func TestUnusedSpaceGoesBackToTheDisk(t *testing.T) {
	s := startServer(t, t.TempDir())
	defer stopServer(t, s)
	m := maintain(t, s, Maintenance{})
	m.minReclaim = 1 << 20
	full := fill(t, m, 8<<20)
	if err := m.keepSpace(t.Context()); err != nil {
		t.Fatal(err)
	}
	if size := fileSize(t, m); size < full {
		t.Errorf("a file of %d bytes has %d after maintenance, though all of it was used", full, size)
	}
	empty(t, m)
	if _, err := m.client.Compact(t.Context(), revision(t, s), clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	eventuallySmaller(t, m, full/2)
}

// The quota is the least that etcd's own pages leave room in.
func TestFullDatabaseTakesWritesAgainOnceThereIsSpace(t *testing.T) {
	s, err := Start(t.Context(), Config{Dir: t.TempDir(), QuotaBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer stopServer(t, s)
	m := maintain(t, s, Maintenance{})
	// When the quota ends, some of the file may be unused still.
	for filled := 0; err == nil; filled++ {
		if filled == 10 {
			t.Fatal("the database is never full")
		}
		fillUp(t, m, fmt.Sprint("fill/", filled))
		err = m.keepSpace(t.Context())
	}
	if !strings.Contains(err.Error(), "delete some, or raise --etcd-quota-bytes") {
		t.Errorf("got %v, want what to do", err)
	}
	empty(t, m)
	if err := m.keepSpace(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err = m.client.Put(t.Context(), "one", "more"); err != nil {
		t.Errorf("after space was made: %v", err)
	}
}

// fill writes values until the file has that many bytes, and gives how many it
// has. etcd counts what was written when it commits, every 100 ms.
func fill(t *testing.T, m *maintainer, bytes int64) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := 0; ; i++ {
		if err := write(ctx, m, fmt.Sprint("fill/", i)); err != nil {
			t.Fatal(err)
		}
		if size := fileSize(t, m); size >= bytes {
			return size
		}
	}
}

// fillUp writes values until etcd refuses one for want of space.
func fillUp(t *testing.T, m *maintainer, prefix string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := 0; ; i++ {
		err := write(ctx, m, fmt.Sprintf("%s/%d", prefix, i))
		if errors.Is(err, rpctypes.ErrNoSpace) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func write(ctx context.Context, m *maintainer, key string) error {
	_, err := m.client.Put(ctx, key, strings.Repeat("x", 64<<10))
	return err
}

func empty(t *testing.T, m *maintainer) {
	t.Helper()
	if _, err := m.client.Delete(t.Context(), "fill/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
}

func revision(t *testing.T, s *Server) int64 {
	t.Helper()
	c := newClient(t, s.Endpoint())
	defer c.Close()
	got, err := c.Get(t.Context(), "anything")
	if err != nil {
		t.Fatal(err)
	}
	return got.Header.Revision
}

func fileSize(t *testing.T, m *maintainer) int64 {
	t.Helper()
	status, _, err := m.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.DbSize
}

// eventuallySmaller looks until the file is, while a client writes: with each of
// its commits etcd counts more of the freed pages.
func eventuallySmaller(t *testing.T, m *maintainer, than int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for fileSize(t, m) >= than {
		if _, err := m.client.Put(ctx, "one", "more"); err != nil {
			t.Fatal(err)
		}
		if err := m.keepSpace(ctx); err != nil {
			t.Fatalf("the file still has %d bytes, want fewer than %d: %v", fileSize(t, m), than, err)
		}
	}
}
