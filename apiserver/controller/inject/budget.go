// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
)

// errCrowdedOut ends a review that has been under way for longest when the memory of
// all has come to its bound.
var errCrowdedOut = errors.New("others need the memory of this review, which takes long")

// budget bounds the memory of all reviews that are under way. Nothing waits for it:
// who needs more than there is gets that of the review which has been under way for
// longest. The API server sends a review in milliseconds, so that is never its own
// while others send slowly.
type budget struct {
	most int

	mu   sync.Mutex
	used int
	// holders are in the order of their beginning.
	holders []*holder
}

// holder is one review's part of a budget.
type holder struct {
	budget *budget
	// crowdOut ends the review; its memory counts as free from then on.
	crowdOut context.CancelCauseFunc
	held     int
	out      bool
}

func newBudget(most int) *budget { return &budget{most: most} }

// enter begins a review, which ends by leave.
func (b *budget) enter(crowdOut context.CancelCauseFunc) *holder {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &holder{budget: b, crowdOut: crowdOut}
	b.holders = append(b.holders, h)
	return h
}

// take has the review hold so many bytes more. It is an error if it was crowded out,
// or has to be: then it is the oldest itself.
func (h *holder) take(size int) error {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.out {
		return errCrowdedOut
	}
	h.held += size
	b.used += size
	for b.used > b.most {
		oldest := b.holders[0]
		oldest.drop()
		oldest.out = true
		oldest.crowdOut(errCrowdedOut)
	}
	if h.out {
		return errCrowdedOut
	}
	return nil
}

// drop gives back what is held. The budget's lock is held.
func (h *holder) drop() {
	if h.out {
		return
	}
	h.budget.used -= h.held
	h.held = 0
	h.budget.holders = slices.DeleteFunc(h.budget.holders, func(one *holder) bool { return one == h })
}

// leave ends the review.
func (h *holder) leave() {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	h.drop()
	h.out = true
}

// readSome is how much is read at a time, in bytes.
const readSome = 8 << 10

// read adds to what was read from a body, up to a number of bytes in all, and holds
// the memory of what has come.
func (h *holder) read(into *bytes.Buffer, body io.Reader, most int) error {
	for into.Len() < most {
		size := min(readSome, most-into.Len())
		if err := h.take(size); err != nil {
			return err
		}
		_, err := io.CopyN(into, body, int64(size))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
