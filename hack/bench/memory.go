// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// memoryRuns is how often each kind of sidecar is started; they alternate.
const memoryRuns = 3

// memoryTime bounds how long one Envoy may take for 5,000 Services.
const memoryTime = 4 * time.Minute

// measureMemory starts the real Envoy with what the server tells it of a number
// of Services, and with a static configuration of the same clusters, listeners
// and TLS, and compares the resident memory of the two.
func measureMemory(ctx context.Context, s *session) ([]Figure, error) {
	// A cluster of its own: others have made Services.
	s.close(ctx)
	*s = session{profiles: s.profiles}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if err := s.makeNamespace(ctx); err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	pods, err := s.makePods(ctx, 2)
	if err != nil {
		return nil, err
	}
	var figures []Figure
	made := 0
	for _, services := range []int{100, 1000, 5000} {
		fmt.Fprintf(os.Stderr, "bench: memory: %d Services\n", services)
		if err := s.makeServicesFrom(ctx, made, services, pods); err != nil {
			return figures, fmt.Errorf("make %d Services: %w", services, err)
		}
		made = services
		more, err := s.compareMemory(ctx, services, pods)
		figures = append(figures, more...)
		if err != nil {
			return figures, err
		}
	}
	return figures, nil
}

func (s *session) compareMemory(ctx context.Context, services int, pods []*corev1.Pod) ([]Figure, error) {
	addresses, err := s.clusterIPs(ctx, services)
	if err != nil {
		return nil, err
	}
	var ours, written, ratio []float64
	for range memoryRuns {
		sidecar, err := s.newSidecar(ctx, pods[0])
		if err != nil {
			return nil, err
		}
		o, err := sidecar.memory(ctx, services)
		if err != nil {
			return nil, fmt.Errorf("sidecar of %d Services: %w", services, err)
		}
		static, err := s.newStatic(ctx, pods[0], addresses)
		if err != nil {
			return nil, err
		}
		w, err := static.memory(ctx, services)
		if err != nil {
			return nil, fmt.Errorf("static configuration of %d Services: %w", services, err)
		}
		ours, written, ratio = append(ours, o/(1<<20)), append(written, w/(1<<20)), append(ratio, o/w)
	}
	what := fmt.Sprintf("%d service ports: ", services)
	return []Figure{
		{Name: what + "sidecar, resident", Value: median(ours), Unit: "MiB", Samples: memoryRuns},
		{Name: what + "written by hand, resident", Value: median(written), Unit: "MiB", Samples: memoryRuns},
		{Name: what + "sidecar over written by hand", Value: median(ratio), Unit: "×", Samples: memoryRuns, Aim: atMost(1.3)},
	}, nil
}

// memory is the resident memory of an Envoy, in bytes, once it has so many
// clusters and listeners and has settled. It ends the Envoy.
func (e *envoyProcess) memory(ctx context.Context, services int) (float64, error) {
	defer e.stop()
	ctx, cancel := context.WithTimeout(ctx, memoryTime)
	defer cancel()
	// Envoy's main thread, which takes what it is told, looks through all of its
	// statistics for the answer.
	if err := awaitEvery(ctx, time.Second, "all clusters and listeners", func(ctx context.Context) error {
		for _, name := range []string{"cluster_manager.active_clusters", "listener_manager.total_listeners_active"} {
			n, err := e.counter(ctx, name)
			if err != nil {
				return err
			}
			if n < services {
				return fmt.Errorf("%s is %d", name, n)
			}
		}
		return nil
	}); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, e.log())
	}
	var last float64
	err := awaitEvery(ctx, time.Second, "memory that has settled", func(context.Context) error {
		now, err := rssOf(e.cmd.Process.Pid)
		if err != nil {
			return err
		}
		change := now - last
		last = now
		if change > 0.005*now || -change > 0.005*now {
			return fmt.Errorf("it changed by %.0f bytes", change)
		}
		return nil
	})
	return last, err
}

// counter is one of Envoy's statistics.
func (e *envoyProcess) counter(ctx context.Context, name string) (int, error) {
	text, err := e.admin(ctx, "/stats?filter=^"+name+"$")
	if err != nil {
		return 0, err
	}
	_, value, ok := strings.Cut(strings.TrimSpace(text), ": ")
	if !ok {
		return 0, fmt.Errorf("no statistic %s in %q", name, text)
	}
	return strconv.Atoi(value)
}
