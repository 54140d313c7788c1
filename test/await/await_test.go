// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestUntilLooksUntilItHolds(t *testing.T) {
	looks := 0
	err := Until(t.Context(), "the third look", func(context.Context) error {
		if looks++; looks < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || looks != 3 {
		t.Errorf("looked %d times: %v", looks, err)
	}
}

func TestUntilSaysWhatWasSeenLastInTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*between)
	defer cancel()
	err := Until(ctx, "what never comes", func(ctx context.Context) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errors.New("it is away")
	})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "what never comes") || !strings.Contains(err.Error(), "it is away") {
		t.Errorf("got %v", err)
	}
}

func TestUntilEndsAtOnceWhereNoWaitingHelps(t *testing.T) {
	gone := errors.New("it is gone")
	begin := time.Now()
	err := Until(t.Context(), "what is gone", func(context.Context) error { return Never(gone) })
	if !errors.Is(err, gone) || time.Since(begin) > 10*time.Second {
		t.Errorf("got %v after %s", err, time.Since(begin))
	}
	if Never(nil) != nil {
		t.Error("no error is one that no waiting mends")
	}
}
