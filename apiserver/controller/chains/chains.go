// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chains keeps the names of filter chains through a restart of the
// server, in etcd beside its objects, so that a restart ends no connection. A
// record that is lost costs the TCP connections of the ports it speaks of, once;
// it never admits anybody.
package chains

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
)

const (
	// prefix is apart from the objects', which are protobuf with Kubernetes' magic.
	prefix = "/mesh-apiserver/filter-chains/"
	// pageSize bounds an answer of etcd while the records are read.
	pageSize = 500
	// maxRecords and maxBytes bound a transaction: below etcd's defaults of
	// --max-txn-ops, 128, and --max-request-bytes, 1.5 MiB.
	maxRecords = 100
	maxBytes   = 1 << 20
	// retryAfter is how long a write waits that etcd did not take.
	retryAfter = time.Second
	timeout    = 5 * time.Second
)

// Store reads the records at the start, and writes what changes.
type Store struct {
	client *clientv3.Client

	mu sync.Mutex
	// pending are the records to write, by view; nil for one to delete.
	pending map[string][]byte
	wake    chan struct{}
	// stored are the views that have a record. Run and Load use it.
	stored map[string]struct{}
}

// New makes a Store on the server's etcd.
func New(client *clientv3.Client) *Store {
	return &Store{client: client, pending: map[string][]byte{}, wake: make(chan struct{}, 1), stored: map[string]struct{}{}}
}

// Load gives the recorded generations of all views. It is called before Run.
// A record that cannot be read is left out, with a log line.
func (s *Store) Load(ctx context.Context) (map[string]envoy.Generations, error) {
	generations := map[string]envoy.Generations{}
	from := prefix
	for {
		page, err := s.page(ctx, from)
		if err != nil {
			return nil, fmt.Errorf("read the records of filter chains: %w", err)
		}
		for _, kv := range page.Kvs {
			view := strings.TrimPrefix(string(kv.Key), prefix)
			s.stored[view] = struct{}{}
			if generations[view], err = envoy.ReadRecord(kv.Value); err != nil {
				klog.FromContext(ctx).Error(err, "A view's TCP connections will end", "view", view)
				delete(generations, view)
			}
		}
		if !page.More {
			return generations, nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

func (s *Store) page(ctx context.Context, from string) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return s.client.Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)), clientv3.WithLimit(pageSize))
}

// Keep records the generations of a view, soon; nil forgets the view. It does
// not wait for etcd.
func (s *Store) Keep(ctx context.Context, view string, generations envoy.Generations) {
	record, err := generations.Record()
	if err != nil {
		klog.FromContext(ctx).Error(err, "Cannot record the filter chains of a view", "view", view)
		return
	}
	s.mu.Lock()
	s.pending[view] = record
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and then once more what is pending.
func (s *Store) Run(ctx context.Context) error {
	logger := klog.FromContext(ctx).WithName("chains")
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
			defer cancel()
			if err := s.write(last); err != nil {
				logger.Error(err, "Some TCP connections will end at the next start")
			}
			return nil
		case <-s.wake:
		}
		if err := s.write(ctx); err != nil && ctx.Err() == nil {
			logger.Error(err, "Cannot record filter chains; trying again", "after", retryAfter)
			time.AfterFunc(retryAfter, func() {
				select {
				case s.wake <- struct{}{}:
				default:
				}
			})
		}
	}
}

// write writes what is pending, many records with one sync of the disk. What fails
// is pending again, unless newer came, and holds up no other.
func (s *Store) write(ctx context.Context) error {
	s.mu.Lock()
	batch := s.pending
	s.pending = map[string][]byte{}
	s.mu.Unlock()
	failed := map[string][]byte{}
	var last error
	for len(batch) > 0 {
		views := fitting(batch)
		err := s.commit(ctx, batch, views)
		if err != nil {
			last = err
		}
		for _, view := range views {
			if err != nil {
				failed[view] = batch[view]
			}
			delete(batch, view)
		}
	}
	if last == nil {
		return nil
	}
	err := fmt.Errorf("write %d records of filter chains: %w", len(failed), last)
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(failed, s.pending)
	s.pending = failed
	return err
}

// fitting are views whose records fit into one transaction together. One that is
// too large for any is alone, so that it fails alone.
func fitting(batch map[string][]byte) []string {
	var views []string
	size := 0
	for view, record := range batch {
		size += len(record)
		if len(views) == maxRecords || len(views) > 0 && size > maxBytes {
			break
		}
		views = append(views, view)
	}
	return views
}

func (s *Store) commit(ctx context.Context, batch map[string][]byte, views []string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var changes []clientv3.Op
	for _, view := range views {
		if record := batch[view]; record != nil {
			changes = append(changes, clientv3.OpPut(prefix+view, string(record)))
		} else if _, ok := s.stored[view]; ok {
			changes = append(changes, clientv3.OpDelete(prefix+view))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if _, err := s.client.Txn(ctx).Then(changes...).Commit(); err != nil {
		return err
	}
	for _, view := range views {
		if batch[view] != nil {
			s.stored[view] = struct{}{}
		} else {
			delete(s.stored, view)
		}
	}
	return nil
}
