// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"testing"
)

func TestAPartThatFailsTakesTheServerWithIt(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	parts := components{fail: func(err error) { fail(err) }}
	broken := errors.New("port is gone")
	parts.add("xDS", func(context.Context) error { return broken })
	parts.add("webhook", func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
	parts.start(ctx)
	parts.wait()
	if cause := context.Cause(ctx); !errors.Is(cause, broken) || cause.Error() != "xDS: port is gone" {
		t.Errorf("got %v, want the part's name and error", cause)
	}
}

func TestPartsThatEndWithTheServerAreNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	parts := components{fail: func(err error) { t.Errorf("called a failure: %v", err) }}
	parts.add("informers", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	parts.start(ctx)
	cancel()
	parts.wait()
}
