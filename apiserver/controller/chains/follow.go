// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chains

import (
	"context"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// pageSize bounds an answer of etcd while the records are read.
const pageSize = 500

// read gives all records, as of one revision.
func (s *Store) read(ctx context.Context) (records map[string]record, revision int64, err error) {
	records = map[string]record{}
	from := prefix
	for {
		page, err := s.page(ctx, from, revision)
		if err != nil {
			return nil, 0, fmt.Errorf("read the records of filter chains: %w", err)
		}
		if revision == 0 {
			revision = page.Header.Revision
		}
		for _, kv := range page.Kvs {
			records[strings.TrimPrefix(string(kv.Key), prefix)] = record{kv.Value, kv.ModRevision}
		}
		if !page.More {
			return records, revision, nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

func (s *Store) page(ctx context.Context, from string, revision int64) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return s.client.Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)), clientv3.WithLimit(pageSize), clientv3.WithRev(revision))
}

// follow hears what is written until the watch ends; after a watch that etcd could not
// give it reads all anew.
func (s *Store) follow(ctx context.Context) error {
	if s.next == 0 {
		if err := s.readAgain(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for answer := range s.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(s.next)) {
		if err := answer.Err(); err != nil {
			if answer.CompactRevision != 0 {
				s.next = 0
			}
			return fmt.Errorf("watch the records of filter chains: %w", err)
		}
		for _, event := range answer.Events {
			r := record{event.Kv.Value, event.Kv.ModRevision}
			if event.Type == clientv3.EventTypeDelete {
				r = record{}
			}
			s.hear(strings.TrimPrefix(string(event.Kv.Key), prefix), r, event.Kv.ModRevision)
		}
		s.next = answer.Header.Revision + 1
	}
	return nil
}

func (s *Store) readAgain(ctx context.Context) error {
	records, revision, err := s.read(ctx)
	if err != nil {
		return err
	}
	for _, name := range s.names() {
		if _, ok := records[name]; !ok {
			s.hear(name, record{}, revision)
		}
	}
	for name, r := range records {
		s.hear(name, r, revision)
	}
	s.next = revision + 1
	return nil
}

func (s *Store) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.views {
		names = append(names, name)
	}
	return names
}

// hear takes in that etcd has a record at a revision, and tells of it where it is
// another server's.
func (s *Store) hear(name string, r record, at int64) {
	s.mu.Lock()
	v := s.views[name]
	if v == nil {
		v = &view{}
		s.views[name] = v
	}
	news := v.hear(r, at)
	s.drop(name)
	s.mu.Unlock()
	if news {
		s.changed(name)
	}
}
