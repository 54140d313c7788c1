// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"context"
	"sync"
)

// maxWaiting bounds who stands in one line, those who have a place included.
// The API server has at most some hundreds of writes under way
// (--max-mutating-requests-inflight, 200 by default).
const maxWaiting = 1024

// lines gives each source a few places at a time, so that no source takes
// those of another; its further requests wait in a line of its own.
type lines struct {
	places int

	mu       sync.Mutex
	bySource map[string]*line
}

type line struct {
	places chan struct{}
	// users are those who have a place or wait for one.
	users int
}

func newLines(places int) *lines { return &lines{places: places, bySource: map[string]*line{}} }

// enter waits for a place until ctx ends; false if there was none. Who has got
// one calls leave.
func (l *lines) enter(ctx context.Context, source string) (leave func(), ok bool) {
	one, ok := l.join(source)
	if !ok {
		return nil, false
	}
	if !take(ctx, one.places) {
		l.quit(source, one)
		return nil, false
	}
	return func() {
		<-one.places
		l.quit(source, one)
	}, true
}

func (l *lines) join(source string) (*line, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.bySource[source]
	if one == nil {
		one = &line{places: make(chan struct{}, l.places)}
		l.bySource[source] = one
	}
	if one.users == maxWaiting {
		return nil, false
	}
	one.users++
	return one, true
}

// quit forgets a line in which nobody stands.
func (l *lines) quit(source string, one *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.bySource, source)
	}
}

// take puts something into a channel with room, or waits for that until ctx ends.
func take(ctx context.Context, places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}
