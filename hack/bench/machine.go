// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine is where and when a report was made. Load is the average of the
// minute before, in runnable processes: figures of a busy machine are worth less.
type Machine struct {
	Processor  string    `json:"processor"`
	Processors int       `json:"processors"`
	Memory     string    `json:"memory"`
	Kernel     string    `json:"kernel"`
	Go         string    `json:"go"`
	Revision   string    `json:"revision"`
	Load       string    `json:"load"`
	Time       time.Time `json:"time"`
}

func describeMachine(ctx context.Context) Machine {
	revision, _ := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	return Machine{
		Processor:  entry("/proc/cpuinfo", "model name"),
		Processors: runtime.NumCPU(),
		Memory:     entry("/proc/meminfo", "MemTotal"),
		Kernel:     strings.TrimSpace(string(kernel)),
		Go:         runtime.Version(),
		Revision:   strings.TrimSpace(string(revision)),
		Load:       first,
		Time:       time.Now().UTC().Truncate(time.Second),
	}
}

// entry is the first value of a name in a file of "name: value" lines.
func entry(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (m Machine) String() string {
	return fmt.Sprintf("%d × %s, %s, Linux %s, %s, revision %s, load %s before the run, %s.",
		m.Processors, m.Processor, m.Memory, m.Kernel, m.Go, m.Revision, m.Load, m.Time.Format("2006-01-02 15:04 MST"))
}
