// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package loop works off a queue of things that are to be looked at.
package loop

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// Do looks at one key. What ends in an error is looked at again after the queue's
// own pause, which grows; what does not, after again, and never by itself if that
// is 0. Telling of an error is Do's.
type Do[K comparable] func(ctx context.Context, key K) (again time.Duration, err error)

// Run lets workers take keys side by side, no key twice at one time, until the
// context ends; it shuts the queue down, and returns when all workers have.
func Run[K comparable](ctx context.Context, queue workqueue.TypedRateLimitingInterface[K], workers int, do Do[K]) {
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for one(ctx, queue, do) {
			}
		})
	}
	<-ctx.Done()
	queue.ShutDown()
	running.Wait()
}

func one[K comparable](ctx context.Context, queue workqueue.TypedRateLimitingInterface[K], do Do[K]) bool {
	key, shutdown := queue.Get()
	if shutdown {
		return false
	}
	defer queue.Done(key)
	again, err := do(ctx, key)
	switch {
	case err != nil:
		queue.AddRateLimited(key)
	case again > 0:
		queue.Forget(key)
		queue.AddAfter(key, again)
	default:
		queue.Forget(key)
	}
	return true
}
