// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"
	"time"
)

// soon bounds what takes milliseconds on a machine that has nothing else to do.
const soon = time.Minute

// eventually waits until a condition holds, looking every 50 ms, and fails the
// test with the condition's last error when the time is over.
func eventually(t *testing.T, within time.Duration, what string, holds func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	var last error
	for {
		err := holds(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s: %v", within, what, last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// bestOfThree holds a time that documents name: a machine that does much else may
// be late once.
func bestOfThree(t *testing.T, bound time.Duration, what string, take func() time.Duration) {
	t.Helper()
	var times []time.Duration
	for range 3 {
		took := take()
		if took <= bound {
			return
		}
		times = append(times, took)
	}
	t.Errorf("%s took %v, want %s at most", what, times, bound)
}
