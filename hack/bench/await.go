// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// await looks every 50 ms until a condition holds.
func await(ctx context.Context, what string, holds func(context.Context) error) error {
	return awaitEvery(ctx, 50*time.Millisecond, what, holds)
}

func awaitEvery(ctx context.Context, interval time.Duration, what string, holds func(context.Context) error) error {
	var last error
	// It ends without success with ctx alone.
	if wait.PollUntilContextCancel(ctx, interval, true, func(ctx context.Context) (bool, error) {
		last = holds(ctx)
		return last == nil, nil
	}) != nil {
		return fmt.Errorf("wait for %s: %w", what, last)
	}
	return nil
}
