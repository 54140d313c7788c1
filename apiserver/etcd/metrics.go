// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	size = metrics.NewGaugeVec(&metrics.GaugeOpts{
		Name:           "mesh_etcd_bytes",
		Help:           "Bytes of the embedded etcd's database: file is its size on disk, used what objects and their history take, quota where writes are refused.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"of"})
	noSpace = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_etcd_full",
		Help:           "1 while the embedded etcd refuses writes since its database has reached the quota.",
		StabilityLevel: metrics.ALPHA,
	})
	newest = metrics.NewGauge(&metrics.GaugeOpts{
		Name:           "mesh_etcd_snapshot_newest_seconds",
		Help:           "When the newest verified snapshot of the embedded etcd was taken, in seconds since the epoch.",
		StabilityLevel: metrics.ALPHA,
	})
	defragmentation = metrics.NewHistogram(&metrics.HistogramOpts{
		Name:           "mesh_etcd_defragmentation_seconds",
		Help:           "How long defragmentations of the embedded etcd took; requests wait meanwhile.",
		Buckets:        metrics.ExponentialBuckets(0.01, 2, 12),
		StabilityLevel: metrics.ALPHA,
	})
	failures = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "mesh_etcd_maintenance_failures_total",
		Help:           "Failed attempts to take a snapshot of the embedded etcd, or to keep space in it.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"part"})
)

func init() {
	legacyregistry.MustRegister(size, noSpace, newest, defragmentation, failures)
}

func showSizes(s *clientv3.StatusResponse, full bool) {
	size.WithLabelValues("file").Set(float64(s.DbSize))
	size.WithLabelValues("used").Set(float64(s.DbSizeInUse))
	size.WithLabelValues("quota").Set(float64(s.DbSizeQuota))
	noSpace.Set(0)
	if full {
		noSpace.Set(1)
	}
}

func showNewest(at time.Time) { newest.Set(float64(at.Unix())) }
