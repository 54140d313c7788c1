// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chains keeps the names of filter chains through a restart of the
// server, in etcd beside its objects, so that a restart ends no connection, and
// has the servers of one database agree on them. A record that is lost costs the
// TCP connections of the ports it speaks of, once; it never admits anybody.
package chains

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/loop"
)

const (
	// prefix is apart from the objects', which are protobuf with Kubernetes' magic.
	prefix = "/mesh-apiserver/filter-chains/"
	// retryAfter is how long a request waits that etcd did not take; of writes it
	// doubles up to retryAtMost.
	retryAfter  = time.Second
	retryAtMost = 10 * time.Second
	timeout     = 5 * time.Second
)

// item is the one thing in the queue.
const item = "records"

// Store reads the records at the start, writes what changes, and tells what other
// servers have written.
//
// A server's record is written over the one that its generations have taken into
// account, and over no other (compare and swap): of two servers that write of a view
// one hears first what the other has written. Run, Keep and Take may be called
// side by side, after Load.
type Store struct {
	client *clientv3.Client
	queue  workqueue.TypedRateLimitingInterface[string]
	// changed is told of views of which another server has written.
	changed func(view string)
	loaded  chan struct{}
	// next is the revision from which on changes are not known; 0: all must be read.
	// Load and then Run use it.
	next int64

	mu sync.Mutex
	// views are those that have a record, or are to have or to lose one.
	views map[string]*view
}

// New makes a Store on the server's etcd.
func New(client *clientv3.Client) *Store {
	return &Store{
		client:  client,
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](retryAfter, retryAtMost)),
		changed: func(string) {},
		loaded:  make(chan struct{}),
		views:   map[string]*view{},
	}
}

// Follow has changed called with each view of which another server has written, for
// the caller to Take. It is called before Load, and changed must not block.
func (s *Store) Follow(changed func(view string)) { s.changed = changed }

// Load gives the recorded generations of all views. It is called once.
// A record that cannot be read is left out, with a log line.
func (s *Store) Load(ctx context.Context) (map[string]envoy.Generations, error) {
	records, revision, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	generations := map[string]envoy.Generations{}
	for name, r := range records {
		s.views[name] = &view{known: r, seen: revision, base: r.revision, kept: r.data}
		if g := parse(ctx, name, r.data); g != nil {
			generations[name] = g
		}
	}
	s.next = revision + 1
	close(s.loaded)
	return generations, nil
}

// Take gives what another server has recorded of a view, nil for nothing. What is
// kept of the view from then on takes it into account.
func (s *Store) Take(ctx context.Context, name string) envoy.Generations {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[name]
	if v == nil {
		return nil
	}
	v.base = v.known.revision
	if v.pending {
		v.pending, v.owed = false, true
	}
	other := parse(ctx, name, v.known.data)
	if !other.Covers(parse(ctx, name, v.kept)) {
		v.owed = true
	}
	return other
}

// Keep records the generations of a view, soon; nil forgets the view. It does
// not wait for etcd.
func (s *Store) Keep(ctx context.Context, name string, generations envoy.Generations) {
	data, err := generations.Record()
	if err != nil {
		klog.FromContext(ctx).Error(err, "Cannot record the filter chains of a view", "view", name)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[name]
	if v == nil {
		if data == nil {
			return
		}
		v = &view{}
		s.views[name] = v
	}
	if v.keep(data) {
		s.queue.Add(item)
	}
	s.drop(name)
}

// drop forgets a view of which there is no record and nothing to write. It is called
// with mu held.
func (s *Store) drop(name string) {
	if v := s.views[name]; v != nil && v.isNothing() {
		delete(s.views, name)
	}
}

// Run writes, and hears what others write, until ctx ends, and then writes once more
// what is pending.
func (s *Store) Run(ctx context.Context) error {
	logger := klog.FromContext(ctx).WithName("chains")
	select {
	case <-s.loaded:
	case <-ctx.Done():
	}
	var following sync.WaitGroup
	following.Go(func() {
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			if err := s.follow(ctx); err != nil && ctx.Err() == nil {
				logger.Error(err, "Cannot follow the records of filter chains; trying again", "after", retryAfter)
			}
		}, retryAfter)
	})
	loop.Run(ctx, s.queue, 1, func(ctx context.Context, _ string) (time.Duration, error) {
		err := s.write(ctx)
		if err != nil && ctx.Err() == nil {
			logger.Error(err, "Cannot record filter chains; trying again")
		}
		return 0, err
	})
	following.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err := s.write(last); err != nil {
		logger.Error(err, "Some TCP connections will end at the next start")
	}
	return nil
}

// parse gives nil for no record, and for one that cannot be read.
func parse(ctx context.Context, name string, data []byte) envoy.Generations {
	if data == nil {
		return nil
	}
	generations, err := envoy.ReadRecord(data)
	if err != nil {
		klog.FromContext(ctx).Error(err, "A view's TCP connections will end", "view", name)
		return nil
	}
	return generations
}
