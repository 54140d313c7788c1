// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lock is an exclusive flock on a data directory. The kernel lets go of it when
// the process ends, however it ends.
type lock struct {
	file *os.File
}

// acquireLock takes the lock of dir at once or says in one line who holds it.
//
// etcd has a lock of its own, but it removes the socket of the server that is
// alive before it tries it. So this one is taken first.
func acquireLock(dir string) (*lock, error) {
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer file.Close()
		return nil, fmt.Errorf("data directory %s is in use by %s; stop it, or choose another --data-dir", dir, holder(file))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	if err := signLock(file); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock file: %w", err), file.Close())
	}
	return &lock{file: file}, nil
}

// signLock writes who holds the lock, for those who come later.
func signLock(file *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	line := fmt.Sprintf("process %d on %s, started %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(line), 0)
	return err
}

// holder reads what signLock wrote. The holder may not have written it yet.
func holder(file *os.File) string {
	line, err := io.ReadAll(io.LimitReader(file, 1024))
	if err != nil || len(line) == 0 {
		return "another process"
	}
	return strings.TrimSpace(string(line))
}

func (l *lock) release() error {
	return l.file.Close()
}
