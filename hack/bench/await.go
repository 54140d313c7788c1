// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

// await looks every 50 ms until a condition holds.
func await(ctx context.Context, what string, holds func(context.Context) error) error {
	return awaitEvery(ctx, 50*time.Millisecond, what, holds)
}

func awaitEvery(ctx context.Context, interval time.Duration, what string, holds func(context.Context) error) error {
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, err)
		case <-time.After(interval):
		}
	}
}
