// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"
)

const (
	// lookEvery is how often the database's size and alarms are looked at.
	lookEvery = time.Minute
	// minReclaim is the least number of bytes that a defragmentation is made for.
	minReclaim = 32 << 20
)

// Maintenance says how the data is kept in order while the server runs.
type Maintenance struct {
	// SnapshotDir takes the snapshots; empty means "snapshots" in the data directory.
	SnapshotDir string
	// SnapshotInterval is the time from one snapshot to the next; 0 means that
	// none are taken.
	SnapshotInterval time.Duration
	// SnapshotsKept is how many of them stay.
	SnapshotsKept int
}

// maintainer does what Maintenance says, as a client of the member.
type maintainer struct {
	Maintenance
	client     *clientv3.Client
	config     clientv3.Config
	minReclaim int64
	// defragmentedAt is the revision at which a full database was defragmented last.
	defragmentedAt int64
}

func (s *Server) newMaintainer(ctx context.Context, m Maintenance) (*maintainer, error) {
	if m.SnapshotDir == "" {
		m.SnapshotDir = filepath.Join(s.dir, "snapshots")
	}
	config := clientv3.Config{Endpoints: []string{s.Endpoint()}, Logger: newLogger(klog.FromContext(ctx), s.stopping)}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded etcd: %w", err)
	}
	return &maintainer{Maintenance: m, client: client, config: config, minReclaim: minReclaim}, nil
}

// Maintain takes snapshots, gives unused space back to the disk and ends the
// state in which etcd refuses writes, until ctx ends. What fails is logged,
// counted and tried again: it is no reason to stop serving.
func (s *Server) Maintain(ctx context.Context, maintenance Maintenance) error {
	m, err := s.newMaintainer(ctx, maintenance)
	if err != nil {
		return err
	}
	defer m.client.Close()
	wait.UntilWithContext(ctx, m.look, lookEvery)
	return nil
}

// look does all that is due.
func (m *maintainer) look(ctx context.Context) {
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"space", m.keepSpace},
		{"snapshot", m.snapshotIfDue},
	} {
		if err := part.do(ctx); err != nil && ctx.Err() == nil {
			failures.WithLabelValues(part.name).Inc()
			klog.FromContext(ctx).Error(err, "Maintenance of the embedded etcd", "part", part.name)
		}
	}
}

// status reads sizes, and the alarm by which etcd refuses writes for want of
// space, nil if it takes them. Both are shown as metrics.
func (m *maintainer) status(ctx context.Context) (*clientv3.StatusResponse, *clientv3.AlarmMember, error) {
	status, err := m.client.Status(ctx, m.config.Endpoints[0])
	if err != nil {
		return nil, nil, fmt.Errorf("read the status: %w", err)
	}
	alarms, err := m.client.AlarmList(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read the alarms: %w", err)
	}
	var full *clientv3.AlarmMember
	for _, alarm := range alarms.Alarms {
		if alarm.Alarm == etcdserverpb.AlarmType_NOSPACE {
			full = &clientv3.AlarmMember{MemberID: alarm.MemberID, Alarm: alarm.Alarm}
		}
	}
	showSizes(status, full != nil)
	return status, full, nil
}
