// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chains

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxRecords and maxBytes bound a transaction: below etcd's defaults of
// --max-txn-ops, 128, and --max-request-bytes, 1.5 MiB.
const (
	maxRecords = 100
	maxBytes   = 1 << 20
)

// write writes what is pending, many records with one sync of the disk. What fails
// stays pending, and holds up no other.
func (s *Store) write(ctx context.Context) error {
	failed := map[string]struct{}{}
	var last error
	for {
		batch := s.batch(failed)
		if len(batch) == 0 {
			break
		}
		if err := s.commit(ctx, batch); err != nil {
			last = err
			for _, one := range batch {
				failed[one.name] = struct{}{}
			}
		}
	}
	if last != nil {
		return fmt.Errorf("write %d records of filter chains: %w", len(failed), last)
	}
	return nil
}

// change is a record to write, nil for one to delete, over the one at a revision.
type change struct {
	name string
	data []byte
	over int64
}

// batch are changes that are pending, but for those that failed, and fit into one
// transaction together. One that is too large for any is alone, so that it fails alone.
func (s *Store) batch(failed map[string]struct{}) []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	var batch []change
	size := 0
	for name, v := range s.views {
		if _, ok := failed[name]; ok || !v.pending {
			continue
		}
		size += len(v.kept)
		if len(batch) == maxRecords || len(batch) > 0 && size > maxBytes {
			break
		}
		batch = append(batch, change{name, v.kept, v.base})
	}
	return batch
}

// commit writes a batch, unless another server has written of one of its views in the
// meantime: then nothing is written, and those views are told of and not pending.
func (s *Store) commit(ctx context.Context, batch []change) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var same []clientv3.Cmp
	var puts, gets []clientv3.Op
	for _, c := range batch {
		key := prefix + c.name
		same = append(same, clientv3.Compare(clientv3.ModRevision(key), "=", c.over))
		gets = append(gets, clientv3.OpGet(key))
		if c.data != nil {
			puts = append(puts, clientv3.OpPut(key, string(c.data)))
		} else {
			puts = append(puts, clientv3.OpDelete(key))
		}
	}
	answer, err := s.client.Txn(ctx).If(same...).Then(puts...).Else(gets...).Commit()
	if err != nil {
		return err
	}
	if answer.Succeeded {
		s.wrote(batch, answer.Header.Revision)
		return nil
	}
	for _, name := range s.lost(batch, answer) {
		s.changed(name)
	}
	return nil
}

func (s *Store) wrote(batch []change, revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range batch {
		v := s.views[c.name]
		if v == nil {
			continue
		}
		if c.data == nil {
			v.wrote(record{}, revision)
		} else {
			v.wrote(record{c.data, revision}, revision)
		}
		s.drop(c.name)
	}
}

// lost takes in what etcd has in the place of a batch, and gives the views whose
// records are others'.
func (s *Store) lost(batch []change, answer *clientv3.TxnResponse) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for i, c := range batch {
		var r record
		if kvs := answer.Responses[i].GetResponseRange().Kvs; len(kvs) > 0 {
			r = record{kvs[0].Value, kvs[0].ModRevision}
		}
		if v := s.views[c.name]; v != nil && r.revision != c.over {
			v.lose(r, answer.Header.Revision)
			names = append(names, c.name)
		}
	}
	return names
}
