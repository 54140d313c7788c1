// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the mesh on a live cluster, with the real Envoy in every
// pod. Each test has a namespace of its own; the callers are shared. Tests that
// change the whole mesh are not parallel, and so run before all others.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

const soon = await.Soon

// live is the cluster, and three callers in it: two in the mesh, each in a
// namespace and with an account of its own, and one outside.
var (
	live                   *cluster.Cluster
	buyer, thief, outsider *cluster.Pod
)

func TestMain(m *testing.M) {
	// The client's library tells of every exec that a test cuts short.
	klog.SetLogger(logr.Discard())
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if live, err = cluster.Connect(); err != nil {
		return 1, err
	}
	if err := live.Clean(ctx); err != nil {
		return 1, fmt.Errorf("remove what an earlier run left: %w", err)
	}
	defer func() {
		if cleaned := live.Clean(context.WithoutCancel(ctx)); cleaned != nil && err == nil {
			err = fmt.Errorf("remove what the tests made: %w", cleaned)
		}
	}()
	for _, caller := range []struct {
		pod    **cluster.Pod
		name   string
		meshed bool
	}{{&buyer, "buyer", true}, {&thief, "thief", true}, {&outsider, "outsider", false}} {
		if *caller.pod, err = start(ctx, caller.name, caller.meshed); err != nil {
			return 1, err
		}
	}
	live.Callers = []*cluster.Pod{buyer, thief}
	return m.Run(), nil
}

func start(ctx context.Context, name string, meshed bool) (*cluster.Pod, error) {
	namespace, err := live.Namespace(ctx, name, meshed)
	if err != nil {
		return nil, err
	}
	return live.Start(ctx, cluster.Manifest(namespace, name, cluster.Container("app", "reflect")))
}

// wantGet waits until a request has this outcome: a status code, or the
// beginning of "no answer: why".
func wantGet(t *testing.T, from *cluster.Pod, want string, args ...string) {
	t.Helper()
	await.State(t, soon, func() (string, bool) {
		got := from.Get(t.Context(), args...)
		return fmt.Sprintf("%s get %v: got %s, want %s", from.Name, args, got, want), len(got) >= len(want) && got[:len(want)] == want
	})
}
