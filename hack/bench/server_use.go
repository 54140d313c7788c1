// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTicks a second are what the kernel counts a process's time in (USER_HZ).
const clockTicks = 100

// cpuOf is the processor time that a process has used.
func cpuOf(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold spaces; utime and stime are the
	// twelfth and thirteenth after it (proc_pid_stat(5)).
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// threadsOf is cpuOf in nanoseconds, of the threads that a process has now
// (/proc/pid/task/tid/schedstat, whose first number it is).
func threadsOf(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(data), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// rssOf is the resident memory of a process, in bytes.
func rssOf(pid int) (float64, error) {
	kib, err := strconv.ParseFloat(strings.TrimSuffix(entry(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"), " kB"), 64)
	return kib * 1024, err
}

// liveHeap is what the server's heap holds after a collection, in bytes.
func (s *session) liveHeap(ctx context.Context) (float64, error) {
	if _, err := s.mesh.Ask(ctx, "/debug/pprof/heap?gc=1"); err != nil {
		return 0, fmt.Errorf("have the server collect garbage: %w", err)
	}
	text, err := s.mesh.Ask(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "go_memstats_heap_alloc_bytes "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("the server's metrics do not tell its heap")
}
