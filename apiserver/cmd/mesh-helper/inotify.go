// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// takeInotifyInstance takes an inotify instance as a user, and gives it back. The
// error names the limit if the user has none left; it needs SETUID.
func takeInotifyInstance(uid int) error {
	err := asUser(uid, func() error {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	})
	if errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("this node has no inotify instance left for the proxy's user %d: raise its sysctl fs.inotify.max_user_instances", uid)
	}
	return err
}

// asUser runs f on a thread that has become the user, and ends with it.
func asUser(uid int, f func() error) error {
	result := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			result <- fmt.Errorf("become user %d: %w: give the container the capability SETUID", uid, errno)
			return
		}
		result <- f()
	}()
	return <-result
}
