// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/klog/v2"
)

// revisionBump is added to the revision of restored data, so that no client has
// seen a later one; as these are marked as compacted, all clients list anew:
// https://etcd.io/docs/v3.6/op-guide/recovery/#restoring-with-revision-bump.
const revisionBump = 1_000_000_000

// Restore puts the data of a snapshot in the place of that in dir, which no
// server may use meanwhile. The data that was there is moved to the directory
// whose path is returned; the path is empty if there was none.
func Restore(ctx context.Context, snapshotFile, dir string) (before string, err error) {
	if err := verifySnapshot(snapshotFile); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make data directory: %w", err)
	}
	lock, err := acquireLock(dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, releaseLock(lock)) }()

	// Beside its place until it is whole: a restoration that fails changes nothing.
	restored := filepath.Join(dir, "etcd.restoring")
	if err := os.RemoveAll(restored); err != nil {
		return "", fmt.Errorf("remove what an earlier restoration has left: %w", err)
	}
	if err := restoreTo(ctx, snapshotFile, restored, dir); err != nil {
		return "", fmt.Errorf("restore %s: %w", snapshotFile, err)
	}
	config := embedConfig(Config{Dir: dir}, "", transport.TLSInfo{})
	before = filepath.Join(dir, time.Now().UTC().Format("etcd.before-20060102T150405Z"))
	if err := os.Rename(config.Dir, before); errors.Is(err, os.ErrNotExist) {
		before = ""
	} else if err != nil {
		return "", fmt.Errorf("move the present data away: %w", err)
	}
	return before, os.Rename(restored, config.Dir)
}

func restoreTo(ctx context.Context, snapshotFile, restored, dir string) error {
	member := embedConfig(Config{Dir: dir}, "", transport.TLSInfo{})
	logger := newLogger(klog.FromContext(ctx), &atomic.Bool{})
	return snapshot.NewV3(logger).Restore(snapshot.RestoreConfig{
		SnapshotPath:        snapshotFile,
		Name:                member.Name,
		OutputDataDir:       restored,
		PeerURLs:            []string{member.AdvertisePeerUrls[0].String()},
		InitialCluster:      member.InitialCluster,
		InitialClusterToken: embed.NewConfig().InitialClusterToken,
		RevisionBump:        revisionBump,
		MarkCompacted:       true,
	})
}
