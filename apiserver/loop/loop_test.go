// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/openservicemesh/mesh-apiserver/apiserver/loop"
)

func newQueue(t *testing.T) workqueue.TypedRateLimitingInterface[string] {
	t.Helper()
	return workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](time.Millisecond, time.Second))
}

// What fails comes again until it does not, what asks to comes again later, and
// what does neither is done with.
func TestWhatFailsOrAsksToComesAgain(t *testing.T) {
	queue := newQueue(t)
	ctx, end := context.WithCancel(t.Context())
	seen := make(chan string)
	var failures, visits atomic.Int32
	go loop.Run(ctx, queue, 1, func(_ context.Context, key string) (time.Duration, error) {
		seen <- key
		switch {
		case key == "fails" && failures.Add(1) < 3:
			return 0, errors.New("not yet")
		case key == "again" && visits.Add(1) < 2:
			return time.Millisecond, nil
		}
		return 0, nil
	})
	defer end()
	for _, test := range []struct {
		key   string
		times int
	}{{"once", 1}, {"fails", 3}, {"again", 2}} {
		queue.Add(test.key)
		for range test.times {
			if got := <-seen; got != test.key {
				t.Fatalf("got %s, want %s", got, test.key)
			}
		}
		select {
		case got := <-seen:
			t.Errorf("%s came once more than %d times", got, test.times)
		case <-time.After(20 * time.Millisecond):
		}
		// It is forgotten after the visit, which the channel tells of, has ended.
		for deadline := time.Now().Add(time.Minute); queue.NumRequeues(test.key) != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the queue counts %d failures of what went well", test.key, queue.NumRequeues(test.key))
			}
		}
	}
}

// Run waits for what is under way, and shuts the queue down.
func TestTheEndOfTheContextEndsTheLoopAfterWhatIsUnderWay(t *testing.T) {
	queue := newQueue(t)
	ctx, end := context.WithCancel(t.Context())
	begun, finish, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		loop.Run(ctx, queue, 2, func(context.Context, string) (time.Duration, error) {
			close(begun)
			<-finish
			return 0, nil
		})
		close(ended)
	}()
	queue.Add("long")
	<-begun
	end()
	select {
	case <-ended:
		t.Error("Run has not waited for what is under way")
	case <-time.After(20 * time.Millisecond):
	}
	close(finish)
	<-ended
	if !queue.ShuttingDown() {
		t.Error("the queue is open still")
	}
}
