// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
)

// profile keeps a profile of the server's heap, and one of its processor time
// while endpoints change; these changes are not among those that count.
func (s *session) profile(ctx context.Context, p *peer, k int, pods []*corev1.Pod) error {
	if err := s.keepProfile(ctx, "heap", "/debug/pprof/heap?gc=1"); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- s.keepProfile(ctx, "cpu", "/debug/pprof/profile?seconds=5") }()
	for {
		select {
		case err := <-done:
			return err
		default:
			if err := s.block(ctx, p, p.hot+k, "profiled", pods); err != nil {
				return err
			}
		}
	}
}

// profileCold keeps a profile of our server's processor time while all proxies
// come from cold. The channel gives its end.
func (s *session) profileCold(ctx context.Context, p *peer, connected int) <-chan error {
	done := make(chan error, 1)
	if s.profiles == "" || p.hot != 0 || connected < pushProxies {
		done <- nil
		return done
	}
	go func() { done <- s.keepProfile(ctx, "cold", "/debug/pprof/profile?seconds=5") }()
	return done
}

func (s *session) keepProfile(ctx context.Context, name, path string) error {
	data, err := s.mesh.Ask(ctx, path)
	if err != nil {
		return fmt.Errorf("profile %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(s.profiles, name+".pprof"), []byte(data), 0o644)
}
