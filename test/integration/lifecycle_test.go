// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// startTime is how long a server may take until it is ready.
const startTime = time.Minute

// launch runs a sibling until the test ends and waits until it is ready.
func launch(t *testing.T, sibling *harness.Mesh) {
	t.Helper()
	if err := sibling.Launch(); err != nil {
		t.Fatal(err)
	}
	endWithTest(t, sibling)
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	if err := sibling.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

func endWithTest(t *testing.T, m *harness.Mesh) {
	process := m.Process
	t.Cleanup(func() {
		if err := process.Kill(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// direct is a client of one server, without the aggregator.
func direct(t *testing.T, m *harness.Mesh) versioned.Interface {
	t.Helper()
	config, err := m.Direct(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := versioned.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSecondServerOnTheSameDataIsRefusedInOneLine(t *testing.T) {
	second := server.Sibling("second", harness.SecondAddress)
	second.DataDir = server.DataDir
	if err := second.Launch(); err != nil {
		t.Fatal(err)
	}
	endWithTest(t, second)
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	code, err := second.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for line := range strings.Lines(second.Log()) {
		if strings.Contains(line, second.DataDir) && strings.Contains(line, "lock") || strings.Contains(line, "in use") {
			said = append(said, line)
		}
	}
	if code == 0 || len(said) != 1 {
		t.Errorf("got exit code %d and %d lines that say why, want not 0 and 1:\n%s", code, len(said), second.Log())
	}
	if _, err := server.Ask(t.Context(), "/readyz"); err != nil {
		t.Errorf("the first server suffers: %v", err)
	}
	newPolicy(t, newNamespace(t))
}

func TestEndIsToldBeforeItHappens(t *testing.T) {
	bestOfThree(t, time.Second, "readyz", func() time.Duration { return tellsItsEnd(t) })
}

// tellsItsEnd ends a server, which serves on for a while, and gives how long it has
// said that it is ready.
func tellsItsEnd(t *testing.T) time.Duration {
	t.Helper()
	const delay = 10 * time.Second
	sibling := server.Sibling("ending", harness.SecondAddress, "--shutdown-delay-duration="+delay.String())
	launch(t, sibling)
	client := direct(t, sibling)
	if _, err := client.MeshV1alpha1().MeshPolicies("").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	watcher, err := client.MeshV1alpha1().MeshPolicies("").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	if err := sibling.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	signalled := time.Now()
	await.Eventually(t, delay, "readyz failing", func(ctx context.Context) error {
		if _, err := sibling.Ask(ctx, "/readyz"); err == nil {
			return errors.New("still ready")
		}
		return nil
	})
	took := time.Since(signalled)
	if _, err := client.MeshV1alpha1().MeshPolicies("").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("a request that comes before the aggregator has noticed: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if code, err := sibling.Wait(ctx); err != nil || code != 0 {
		t.Errorf("got exit code %d (%v), want 0\n%s", code, err, sibling.Log())
	}
	return took
}
