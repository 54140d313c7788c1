// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package await waits until something holds. All tests of this module wait by it.
package await

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Soon bounds what takes milliseconds on a machine that has nothing else to do.
const Soon = time.Minute

// between is how long it is from one look to the next.
const between = 50 * time.Millisecond

// never is an error after which nothing is waited for any more.
type never struct{ error }

func (n never) Unwrap() error { return n.error }

// Never marks what a condition fails of as something that no waiting mends.
func Never(err error) error {
	if err == nil {
		return nil
	}
	return never{err}
}

// Until looks until a condition gives no error. When ctx ends, or the condition
// fails of something marked by Never, it gives the last error that was not of ctx.
func Until(ctx context.Context, what string, holds func(context.Context) error) error {
	var last error
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		if hopeless := (never{}); errors.As(err, &hopeless) {
			return fmt.Errorf("wait for %s: %w", what, hopeless.error)
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %w", what, ctx.Err(), last)
		case <-time.After(between):
		}
	}
}

// Eventually waits until a condition holds, and fails the test with its last error
// when the time is over.
func Eventually(t testing.TB, within time.Duration, what string, holds func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := Until(ctx, what, holds); err != nil {
		t.Fatalf("not within %s: %v", within, err)
	}
}

// State waits until a condition is true; state is what the failure shows.
func State(t testing.TB, within time.Duration, condition func() (state string, ok bool)) {
	t.Helper()
	Eventually(t, within, "a state", func(context.Context) error {
		state, ok := condition()
		if ok {
			return nil
		}
		return errors.New(state)
	})
}
