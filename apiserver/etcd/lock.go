// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lock is an exclusive flock on a data directory. The kernel lets go of it when
// the process ends, however it ends. It is a bare descriptor since an os.File
// that nobody looks at any more is closed by the garbage collector.
type lock struct {
	fd int
}

// acquireLock takes the lock of dir at once or says in one line who holds it.
//
// etcd has a lock of its own, but it removes the socket of the server that is
// alive before it tries it. So this one is taken first.
func acquireLock(dir string) (*lock, error) {
	path := filepath.Join(dir, "lock")
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file %s: %w", path, err)
	}
	l := &lock{fd: fd}
	err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("data directory %s is in use by %s; stop it, or choose another --data-dir", dir, holder(path))
		return nil, errors.Join(err, l.release())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), l.release())
	}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock file %s: %w", path, err), l.release())
	}
	return l, nil
}

// sign writes who holds the lock, for those who come later.
func (l *lock) sign() error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	line := fmt.Sprintf("process %d on %s, started %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if err := syscall.Ftruncate(l.fd, 0); err != nil {
		return err
	}
	_, err = syscall.Pwrite(l.fd, []byte(line), 0)
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

func (l *lock) release() error {
	return syscall.Close(l.fd)
}
