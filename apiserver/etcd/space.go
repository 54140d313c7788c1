// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/klog/v2"
)

// keepSpace gives unused space back when that is worthwhile, and lets writes in
// again after etcd has refused them for want of space.
func (m *maintainer) keepSpace(ctx context.Context) error {
	status, full, err := m.status(ctx)
	if err != nil {
		return err
	}
	if full != nil {
		return m.recoverSpace(ctx, status.Header.Revision)
	}
	if !worthwhile(status, m.minReclaim) {
		return nil
	}
	return m.defragment(ctx)
}

// worthwhile is true if at least half of the file, and at least min bytes, are
// unused. Requests wait while the used half is copied.
func worthwhile(s *clientv3.StatusResponse, min int64) bool {
	unused := s.DbSize - s.DbSizeInUse
	return unused >= min && unused >= s.DbSizeInUse
}

func (m *maintainer) defragment(ctx context.Context) error {
	before, _, err := m.status(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := m.client.Defragment(ctx, m.config.Endpoints[0]); err != nil {
		return fmt.Errorf("defragment: %w", err)
	}
	took := time.Since(start)
	defragmentation.Observe(took.Seconds())
	after, _, err := m.status(ctx)
	if err != nil {
		return err
	}
	klog.FromContext(ctx).Info("Defragmented the embedded etcd", "bytesBefore", before.DbSize, "bytesAfter", after.DbSize, "took", took)
	return nil
}

// recoverSpace drops history and unused space. If the file is then clearly below
// the quota, be it that objects were deleted or that the quota was raised, writes
// are let in again.
func (m *maintainer) recoverSpace(ctx context.Context, revision int64) error {
	// Clients that watch from an older revision list anew.
	_, err := m.client.Compact(ctx, revision, clientv3.WithCompactPhysical())
	if err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return fmt.Errorf("drop history: %w", err)
	}
	status, full, err := m.status(ctx)
	if err != nil {
		return err
	}
	// etcd counts a page as free with the second commit after it was freed, and
	// commits only when something was written: a full database may say for ever
	// that all of it is in use. So what was deleted since the last time counts too.
	if revision != m.defragmentedAt || status.DbSize-status.DbSizeInUse >= status.DbSize/10 {
		if err := m.defragment(ctx); err != nil {
			return err
		}
		m.defragmentedAt = revision
		if status, full, err = m.status(ctx); err != nil {
			return err
		}
	}
	if status.DbSize > status.DbSizeQuota/10*9 {
		return fmt.Errorf("the database is full: %d bytes of the quota of %d are in use, and mesh resources cannot be written; delete some, or raise --etcd-quota-bytes",
			status.DbSizeInUse, status.DbSizeQuota)
	}
	if full == nil {
		return nil
	}
	if _, err := m.client.AlarmDisarm(ctx, full); err != nil {
		return fmt.Errorf("let writes in again: %w", err)
	}
	klog.FromContext(ctx).Info("The embedded etcd has space again and takes writes", "bytes", status.DbSize, "quota", status.DbSizeQuota)
	_, _, err = m.status(ctx)
	return err
}
