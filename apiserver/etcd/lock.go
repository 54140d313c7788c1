// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
)

// held has the locks that are taken: an os.File that nothing refers to is closed by the
// garbage collector, and a server goes on without anything that refers to it.
var held sync.Map

// releaseLock gives a lock back.
func releaseLock(lock *fileutil.LockedFile) error {
	held.Delete(lock)
	return lock.Close()
}

// acquireLock takes the lock of a data directory at once or says in one line who
// holds it. The kernel lets go of it when the process ends, however it ends.
//
// etcd has a lock of its own, but it removes the socket of the server that is
// alive before it tries it. So this one is taken first.
func acquireLock(dir string) (*fileutil.LockedFile, error) {
	path := filepath.Join(dir, "lock")
	lock, err := fileutil.TryLockFile(path, os.O_RDWR|os.O_CREATE, fileutil.PrivateFileMode)
	if errors.Is(err, fileutil.ErrLocked) {
		return nil, fmt.Errorf("data directory %s is in use by %s; stop it, or choose another --data-dir", dir, holder(path))
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := sign(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock file %s: %w", path, err), lock.Close())
	}
	held.Store(lock, struct{}{})
	return lock, nil
}

// sign writes who holds the lock, for those who come later.
func sign(lock *fileutil.LockedFile) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	line := fmt.Sprintf("process %d on %s, started %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err = lock.WriteAt([]byte(line), 0)
	return err
}

// holder reads what sign wrote. The holder may not have written it yet.
func holder(path string) string {
	line, err := os.ReadFile(path)
	if err != nil || len(line) == 0 {
		return "another process"
	}
	return strings.TrimSpace(string(line))
}
