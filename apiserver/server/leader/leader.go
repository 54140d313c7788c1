// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package leader chooses, among the replicas of the server, the one that does what
// only one of them may do. They agree by a Lease of the system namespace.
package leader

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	_ "k8s.io/component-base/metrics/prometheus/clientgo/leaderelection" // leader_election_master_status
)

// LeaseName is the name of the Lease.
const LeaseName = "mesh-apiserver"

// The times of Kubernetes' own components (component-base, leader election): a leader
// that has not renewed its lease for renewDeadline stops, and another takes a lease
// over that has not been renewed for leaseDuration.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// Leader is one replica's part in the choice.
type Leader struct {
	lock resourcelock.Interface
	// term is held while this replica leads, so that terms do not overlap and the
	// lease is released after the work.
	term   sync.Mutex
	events *recorder
}

// New makes a Leader for a system namespace of the cluster of config. Identity names
// this replica. A replica that comes back under the same identity has its lease at
// once, so no two that run together may share one.
func New(config *rest.Config, systemNamespace, identity string) (*Leader, error) {
	// A client of its own: requests of others must not hold up a renewal.
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, systemNamespace, LeaseName,
		resourcelock.ResourceLockConfig{Identity: identity}, config, renewDeadline)
	if err != nil {
		return nil, fmt.Errorf("make the lock on Lease %s/%s: %w", systemNamespace, LeaseName, err)
	}
	return &Leader{lock: lock}, nil
}

// Run calls work whenever this replica begins to lead, until ctx ends. The context of
// work ends when it leads no more, and work must then return soon: another replica may
// lead 5 s later. When ctx ends, the lease is released after work has returned.
func (l *Leader) Run(ctx context.Context, work func(context.Context)) error {
	for ctx.Err() == nil {
		if err := l.runOnce(ctx, work); err != nil {
			return err
		}
	}
	l.term.Lock()
	defer l.term.Unlock()
	return nil
}

// runOnce waits for a lease and holds it until it is lost or ctx ends.
func (l *Leader) runOnce(ctx context.Context, work func(context.Context)) error {
	holding, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	stop := context.AfterFunc(ctx, func() {
		l.term.Lock()
		defer l.term.Unlock()
		release()
	})
	defer stop()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            l.lock,
		Name:            LeaseName,
		LeaseDuration:   leaseDuration,
		RenewDeadline:   renewDeadline,
		RetryPeriod:     retryPeriod,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(held context.Context) { l.lead(ctx, held, work) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("prepare the choice of a leader: %w", err)
	}
	elector.Run(holding)
	return nil
}

// lead works until the lease is lost or the server ends.
func (l *Leader) lead(server, held context.Context, work func(context.Context)) {
	l.term.Lock()
	defer l.term.Unlock()
	term, end := context.WithCancel(held)
	defer end()
	stop := context.AfterFunc(server, end)
	defer stop()
	if server.Err() != nil || term.Err() != nil {
		return
	}
	if l.events != nil {
		l.events.begin()
		defer l.events.end()
	}
	work(term)
}
