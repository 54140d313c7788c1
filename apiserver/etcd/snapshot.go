// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/v3/snapshot"
	"k8s.io/klog/v2"
)

// snapshotName is the file name of a snapshot, as a layout of its time in UTC.
// Names sort by time.
const snapshotName = "snapshot-20060102T150405Z.db"

// snapshotIfDue takes a snapshot if the newest one is older than the interval.
func (m *maintainer) snapshotIfDue(ctx context.Context) error {
	if m.SnapshotInterval == 0 {
		return nil
	}
	taken, err := snapshots(m.SnapshotDir)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	if len(taken) > 0 && now.Sub(takenAt(taken[len(taken)-1])) < m.SnapshotInterval {
		showNewest(takenAt(taken[len(taken)-1]))
		return nil
	}
	file, err := m.snapshot(ctx, now)
	if err != nil {
		return fmt.Errorf("take a snapshot: %w", err)
	}
	showNewest(now)
	klog.FromContext(ctx).V(2).Info("Took a snapshot of the embedded etcd", "file", file)
	return m.prune()
}

// snapshot writes what is stored now to a file, which has its name only when it
// was read back and its hash is right.
func (m *maintainer) snapshot(ctx context.Context, now time.Time) (string, error) {
	if err := makePrivate(m.SnapshotDir); err != nil {
		return "", err
	}
	if err := m.checkRoom(ctx); err != nil {
		return "", err
	}
	file := filepath.Join(m.SnapshotDir, now.Format(snapshotName))
	unverified := filepath.Join(m.SnapshotDir, "unverified")
	defer os.Remove(unverified)
	if _, err := snapshot.SaveWithVersion(ctx, m.config.Logger, m.config, unverified); err != nil {
		return "", err
	}
	if err := verifySnapshot(unverified); err != nil {
		return "", err
	}
	return file, os.Rename(unverified, file)
}

// checkRoom keeps snapshots from filling the disk that etcd itself writes to.
func (m *maintainer) checkRoom(ctx context.Context) error {
	status, _, err := m.status(ctx)
	if err != nil {
		return err
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(m.SnapshotDir, &disk); err != nil {
		return fmt.Errorf("ask for free space in %s: %w", m.SnapshotDir, err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < 2*status.DbSize {
		return fmt.Errorf("%s has %d bytes left, and twice the database's %d are needed", m.SnapshotDir, free, status.DbSize)
	}
	return nil
}

// prune removes the oldest snapshots beyond those that are kept.
func (m *maintainer) prune() error {
	taken, err := snapshots(m.SnapshotDir)
	if err != nil {
		return err
	}
	var errs []error
	for len(taken) > m.SnapshotsKept {
		errs = append(errs, os.Remove(filepath.Join(m.SnapshotDir, taken[0])))
		taken = taken[1:]
	}
	return errors.Join(errs...)
}

// snapshots are the names of the snapshots in dir, oldest first.
func snapshots(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if !takenAt(entry.Name()).IsZero() {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// takenAt is the zero time for what is not the name of a snapshot.
func takenAt(name string) time.Time {
	at, err := time.Parse(snapshotName, name)
	if err != nil {
		return time.Time{}
	}
	return at
}

// verifySnapshot compares a snapshot with the SHA-256 that etcd has put behind
// it: https://etcd.io/docs/v3.6/op-guide/recovery/.
func verifySnapshot(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read the size of the snapshot: %w", err)
	}
	content := info.Size() - sha256.Size
	if content <= 0 || content%512 != 0 {
		return fmt.Errorf("%s is not a snapshot: it has %d bytes, and no hash at its end", path, info.Size())
	}
	hash := sha256.New()
	if _, err := io.CopyN(hash, file, content); err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	want, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read the hash of the snapshot: %w", err)
	}
	if !bytes.Equal(hash.Sum(nil), want) {
		return fmt.Errorf("%s is damaged: its SHA-256 is not the one at its end", path)
	}
	return nil
}
