// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package server puts the process together: storage, API groups, certificate
// authority, controller, xDS, webhook and metrics, started in this order and
// stopped in reverse:
//
//	lock, etcd, root, trust bundle, serving pair, listeners, informers, caBundles, ready
package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/grpclog"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/etcd"
	"github.com/openservicemesh/mesh-apiserver/apiserver/options"
)

// etcdStopTimeout bounds the end of etcd, which waits for requests under way.
const etcdStopTimeout = 10 * time.Second

// Run serves until ctx ends or something that cannot be done without fails.
// The options are complete and valid.
func Run(ctx context.Context, o *options.Options) error {
	grpclog.SetLoggerV2(grpcLog{log: klog.FromContext(ctx).WithName("grpc")})
	if !o.Mesh.EmbeddedEtcd {
		return serve(ctx, o)
	}
	store, err := etcd.Start(ctx, etcd.Config{Dir: o.Mesh.DataDir, QuotaBytes: o.Mesh.EtcdQuotaBytes})
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go func() {
		if err, failed := <-store.Failed(); failed {
			fail(fmt.Errorf("embedded etcd has failed: %w", err))
		}
	}()

	var maintenance sync.WaitGroup
	maintenance.Go(func() {
		if err := store.Maintain(ctx, o.Mesh.EtcdMaintenance); err != nil {
			fail(fmt.Errorf("maintain the embedded etcd: %w", err))
		}
	})

	err = serve(ctx, o)

	fail(nil)
	maintenance.Wait()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), etcdStopTimeout)
	defer cancel()
	return errors.Join(err, store.Stop(stopping))
}

func serve(ctx context.Context, o *options.Options) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s, err := newServer(ctx, o, fail)
	if err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}
