// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// filterChains is how many filter chains share what is measured of memory.
	filterChains = 200
	// filterMemoryRuns and filterLoadRuns are how often each kind of manager has its
	// turn.
	filterMemoryRuns, filterLoadRuns = 3, 40
	filterRate, filterRequests       = 1000, 250
	filterPort                       = 20000
)

// measureFilters says what filters of requests, logs and tracing cost a connection
// manager that has them and does not use them: memory, processor and latency. All
// kinds of managers are in one Envoy when they are loaded, and take turns. Of filters
// of connections it says what memory a chain takes.
func measureFilters(ctx context.Context, _ *session) ([]Figure, error) {
	parent, err := os.MkdirTemp("", "mesh-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(parent)
	// Envoy's log is beside it.
	dir := filepath.Join(parent, "envoy")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	for name, content := range discoveredFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	memory, err := filterMemory(ctx, dir, unusedInManager)
	if err != nil {
		return nil, fmt.Errorf("measure memory: %w", err)
	}
	chains, err := filterMemory(ctx, dir, unusedBeforeTCP)
	if err != nil {
		return nil, fmt.Errorf("measure memory of chains of connections: %w", err)
	}
	load, err := filterLoad(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("measure load: %w", err)
	}
	figures := []Figure{
		{Name: unusedInManager[0].name + ", memory a manager", Value: median(memory[0]), Unit: "B", Samples: filterMemoryRuns},
		{Name: unusedInManager[0].name + ", processor a request", Value: median(load[0].cpu), Unit: "µs", Samples: len(load[0].cpu)},
		{Name: unusedInManager[0].name + ", p50", Value: median(load[0].p50), Unit: "ms", Samples: len(load[0].p50)},
	}
	for i, m := range unusedInManager[1:] {
		l := load[i+1]
		figures = append(figures,
			Figure{Name: m.name + ", more memory a manager", Value: median(memory[i+1]) - median(memory[0]), Unit: "B", Samples: filterMemoryRuns},
			Figure{Name: m.name + ", more processor a request", Value: 100 * median(l.cpu), Unit: "%", Samples: len(l.cpu)},
			Figure{Name: m.name + ", more at p50", Value: 1000 * median(l.p50), Unit: "µs", Samples: len(l.p50)},
		)
	}
	for i, k := range unusedBeforeTCP {
		more := Figure{Name: "connections: " + k.name + ", memory a chain", Value: median(chains[i]), Unit: "B", Samples: filterMemoryRuns}
		if i > 0 {
			more.Name, more.Value = "connections: "+k.name+", more memory a chain", more.Value-median(chains[0])
		}
		figures = append(figures, more)
	}
	return figures, nil
}

// filterMemory gives for each kind the bytes that Envoy has allocated for one chain,
// run by run.
func filterMemory(ctx context.Context, dir string, kinds []chainKind) ([][]float64, error) {
	bytes := make([][]float64, len(kinds))
	for range filterMemoryRuns {
		for i, m := range kinds {
			one, err := allocatedBy(ctx, dir, m, 1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			many, err := allocatedBy(ctx, dir, m, 1+filterChains)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			bytes[i] = append(bytes[i], (many-one)/filterChains)
		}
	}
	return bytes, nil
}

// allocatedBy is what an Envoy has allocated that holds so many chains of a kind.
func allocatedBy(ctx context.Context, dir string, k chainKind, chains int) (float64, error) {
	e, err := startWritten(ctx, dir, writtenChains(chains, func(int) chainKind { return k }))
	if err != nil {
		return 0, err
	}
	defer e.stop()
	if err := e.listens(ctx, chains); err != nil {
		return 0, err
	}
	text, err := e.admin(ctx, "/memory")
	if err != nil {
		return 0, err
	}
	var memory struct {
		Allocated float64 `json:"allocated,string"`
	}
	if err := json.Unmarshal([]byte(text), &memory); err != nil {
		return 0, fmt.Errorf("read how much Envoy has allocated: %w", err)
	}
	return memory.Allocated, nil
}

// loaded is what runs of load say of a kind of manager: microseconds of processor a
// request, and milliseconds at p50. Of all kinds but the first it is how much more
// than the first needs, as a part of it and in milliseconds.
type loaded struct{ cpu, p50 []float64 }

// filterLoad loads each kind of manager right after the first one, and compares the
// two: the machine is not the same all the time.
func filterLoad(ctx context.Context, dir string) ([]loaded, error) {
	app, err := startChild(ctx, "app", nil)
	if err != nil {
		return nil, err
	}
	defer app.stop()
	e, err := startWritten(ctx, dir, writtenChains(len(unusedInManager), func(i int) chainKind { return unusedInManager[i] }))
	if err != nil {
		return nil, err
	}
	defer e.stop()
	if err := e.listens(ctx, len(unusedInManager)); err != nil {
		return nil, err
	}
	out := make([]loaded, len(unusedInManager))
	for range filterLoadRuns {
		for i := 1; i < len(unusedInManager); i++ {
			cpu, p50, err := e.load(ctx, filterPort)
			if err != nil {
				return nil, fmt.Errorf("load %s: %w", unusedInManager[0].name, err)
			}
			more, slower, err := e.load(ctx, filterPort+i)
			if err != nil {
				return nil, fmt.Errorf("load %s: %w", unusedInManager[i].name, err)
			}
			out[0].cpu, out[0].p50 = append(out[0].cpu, cpu), append(out[0].p50, p50)
			out[i].cpu, out[i].p50 = append(out[i].cpu, more/cpu-1), append(out[i].p50, slower-p50)
		}
	}
	return out, nil
}

// load gives the processor that Envoy needs for a request, in microseconds, and the
// median latency in milliseconds.
func (e *envoyProcess) load(ctx context.Context, port int) (cpu, p50 float64, err error) {
	config := LoadConfig{URL: fmt.Sprintf("http://127.0.0.1:%d/books", port), Rate: filterRate, Warm: filterRequests / 10, Requests: filterRequests}
	before, err := threadsOf(e.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	took, err := sendLoad(ctx, config)
	if err != nil {
		return 0, 0, err
	}
	after, err := threadsOf(e.cmd.Process.Pid)
	return float64((after - before).Nanoseconds()) / 1000 / float64(config.Warm+config.Requests), median(took), err
}

// startWritten starts an Envoy with one worker and the configuration, whose
// administration listens in dir.
func startWritten(ctx context.Context, dir, config string) (*envoyProcess, error) {
	file := filepath.Join(dir, "bootstrap.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(config, "/var/run/mesh", dir)), 0o600); err != nil {
		return nil, err
	}
	return runEnvoy(ctx, dir, "-c", file)
}

// listens waits until all listeners are there.
func (e *envoyProcess) listens(ctx context.Context, listeners int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := await(ctx, "all listeners", func(ctx context.Context) error {
		n, err := e.counter(ctx, "listener_manager.total_listeners_active")
		if err == nil && n < listeners {
			err = fmt.Errorf("%d are active", n)
		}
		return err
	}); err != nil {
		return fmt.Errorf("%w\n%s", err, e.log())
	}
	return nil
}
