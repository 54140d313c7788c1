// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Sizes of the measurement of changes.
const (
	pushServices = 1000
	pushProxies  = 1000
	// blocks of changes alternate between our server and the peer.
	blocks, changesABlock = 4, 15
)

// peer is one of the two that are compared: its process, and its clients'.
type peer struct {
	name, address string
	pid           int
	// hot are the Services whose endpoints change, the first for this peer.
	hot     int
	clients *child
	seen    map[string]*seen
	// cold is what the connecting of pushProxies took.
	cold coldStart
}

// coldStart is the time until all clients had everything, and what the peer's process
// used of processors until then.
type coldStart struct{ took, cpu time.Duration }

// seen is what was measured of one kind of change.
type seen struct {
	took []float64
	cpu  time.Duration
}

// measurePush changes the endpoints of Services, with a write to kube-apiserver
// on an open connection, and takes the time until the last client that wants
// them has ACKed.
func measurePush(ctx context.Context, s *session) ([]Figure, error) {
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if err := s.makeNamespace(ctx); err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	fmt.Fprintln(os.Stderr, "bench: push: make pods and Services")
	pods, err := s.makePods(ctx, pushProxies)
	if err != nil {
		return nil, fmt.Errorf("make pods: %w", err)
	}
	if err := s.makeServices(ctx, pushServices, pods); err != nil {
		return nil, fmt.Errorf("make Services: %w", err)
	}
	fleet, err := s.newFleet(ctx, pods)
	if err != nil {
		return nil, err
	}
	linear, err := s.startLinear(ctx, fleet)
	if err != nil {
		return nil, err
	}
	defer linear.stop()
	peers := []*peer{
		{name: "mesh-apiserver", address: s.mesh.Address + ":15012", pid: s.mesh.PID(), hot: 0},
		{name: "LinearCache", address: linearAddress, pid: linear.cmd.Process.Pid, hot: 3},
	}
	var figures []Figure
	for _, connected := range []int{1, 100, pushProxies} {
		fmt.Fprintf(os.Stderr, "bench: push: %d connected\n", connected)
		more, err := s.measureConnected(ctx, fleet, peers, connected, pods)
		figures = append(figures, more...)
		if err != nil {
			return figures, err
		}
	}
	return figures, nil
}

// measureConnected connects so many clients to each peer, and changes endpoints
// that one, a hundred, and all of them want.
func (s *session) measureConnected(ctx context.Context, f *fleet, peers []*peer, connected int, pods []*corev1.Pod) ([]Figure, error) {
	var figures []Figure
	affected := [3]int{1, min(100, connected), connected}
	for _, p := range peers {
		more, err := s.connect(ctx, f, p, connected, affected)
		figures = append(figures, more...)
		if err != nil {
			return figures, fmt.Errorf("connect %d proxies to %s: %w", connected, p.name, err)
		}
		defer p.clients.stop()
	}
	if connected == pushProxies {
		ours, theirs := peers[0].cold, peers[1].cold
		figures = append(figures,
			Figure{Name: fmt.Sprintf("%d proxies complete from cold: our time over LinearCache's", connected), Value: ours.took.Seconds() / theirs.took.Seconds(), Unit: "×", Aim: atMost(0.6)},
			Figure{Name: fmt.Sprintf("%d proxies complete from cold: our processor time over LinearCache's", connected), Value: ours.cpu.Seconds() / theirs.cpu.Seconds(), Unit: "×"})
	}
	for k, n := range affected {
		if k > 0 && n == affected[k-1] {
			continue
		}
		what := fmt.Sprintf("%d of %d proxies", n, connected)
		for range blocks {
			for _, p := range peers {
				if err := s.block(ctx, p, p.hot+k, what, pods); err != nil {
					return figures, fmt.Errorf("change endpoints for %s of %s: %w", what, p.name, err)
				}
			}
		}
		if n == 100 && connected == pushProxies && s.profiles != "" {
			if err := s.profile(ctx, peers[0], k, pods); err != nil {
				return figures, err
			}
		}
		figures = append(figures, compared(what, peers, n == 100 && connected == pushProxies)...)
	}
	return figures, nil
}

// compared are the figures of one kind of change.
func compared(what string, peers []*peer, aimed bool) []Figure {
	var figures []Figure
	for i, p := range peers {
		v := p.seen[what]
		n := len(v.took)
		p50 := Figure{Name: fmt.Sprintf("%s: write sent → last ACK, p50, %s", what, p.name), Value: quantile(v.took, 0.5), Unit: "ms", Samples: n}
		p99 := Figure{Name: fmt.Sprintf("%s: write sent → last ACK, p99, %s", what, p.name), Value: quantile(v.took, 0.99), Unit: "ms", Samples: n}
		cpu := Figure{Name: fmt.Sprintf("%s: processor time a change, %s", what, p.name), Value: milliseconds(v.cpu) / float64(n), Unit: "ms", Samples: n}
		if i == 0 && aimed {
			p50.Aim, p99.Aim, cpu.Aim = atMost(12), atMost(25), atMost(5)
		}
		figures = append(figures, p50, p99, cpu)
	}
	ours, theirs := peers[0].seen[what], peers[1].seen[what]
	return append(figures, Figure{Name: what + ": LinearCache's p50 over ours", Value: median(theirs.took) / median(ours.took), Unit: "×"})
}

// block changes the endpoints of one Service some times, each when the one
// before has been ACKed.
func (s *session) block(ctx context.Context, p *peer, service int, what string, pods []*corev1.Pod) error {
	if p.seen[what] == nil {
		p.seen[what] = &seen{}
	}
	before, err := cpuOf(p.pid)
	if err != nil {
		return err
	}
	slices := s.host.DiscoveryV1().EndpointSlices(manyNamespace)
	for range changesABlock {
		slice, err := slices.Get(ctx, serviceName(service), metav1.GetOptions{})
		if err != nil {
			return err
		}
		with := []*corev1.Pod{pods[service]}
		if len(slice.Endpoints) == 1 {
			with = append(with, pods[service+1])
		}
		slice.Endpoints = sliceOf(service, with...).Endpoints
		sent := time.Now()
		if _, err := slices.Update(ctx, slice, metav1.UpdateOptions{}); err != nil {
			return err
		}
		for {
			event, err := p.clients.nextEvent(ctx)
			if err != nil {
				return err
			}
			if event.Hot == endpointsName(serviceName(service)) && event.At > sent.UnixNano() {
				p.seen[what].took = append(p.seen[what].took, float64(event.At-sent.UnixNano())/1e6)
				break
			}
		}
	}
	after, err := cpuOf(p.pid)
	p.seen[what].cpu += after - before
	return err
}
