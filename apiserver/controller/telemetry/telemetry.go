// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package telemetry takes in what proxies push: the counters of shadow rules, what
// Audit policies would have done, and those of connections that proxies did not
// carry. They come by OTLP (opentelemetry.proto.collector.metrics.v1) over the
// connection by which the proxy gets its configuration; who counts is read from
// its certificate, and a proxy's word is taken only for the policies that have it
// as target, and for the Services that it sees.
package telemetry

import (
	"context"
	"math"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// maxPushed is how much of a counter one push may add: a million a second, for
// the ten seconds between pushes, which no proxy serves. What a pod sends may be
// any number.
const maxPushed = 10_000_000

// Counts are of one Audit policy, since this process started.
type Counts struct {
	// Allowed and Denied are requests, or connections that are not HTTP.
	Allowed, Denied int64
}

// Options are what a Server needs of others.
type Options struct {
	// View tells to which view the peer of a call belongs, by its certificate.
	View func(context.Context) (string, error)
	// Audited gives the Audit policies of a view by inbound port.
	Audited func(view string) map[uint16]model.Audit
	// Mishap is called with what a proxy of a view has counted of connections that
	// it did not carry, more than 0. Whether there is such a Service, and whether
	// that proxy may speak of it, is not known here. It must not block.
	Mishap func(view string, m model.Mishap, n int64)
	// Counted, if set, is called with "<namespace>/<name>" when a policy's counts
	// have changed. It must not block.
	Counted func(policy string)
}

// Server adds up what proxies push.
type Server struct {
	collector.UnimplementedMetricsServiceServer
	options Options

	mu     sync.Mutex
	counts map[string]Counts
}

// New makes a Server.
func New(options Options) *Server {
	registerMetrics()
	return &Server{options: options, counts: map[string]Counts{}}
}

// SetView replaces Options.View, before Register.
func (s *Server) SetView(view func(context.Context) (string, error)) { s.options.View = view }

// Register serves it.
func (s *Server) Register(to grpc.ServiceRegistrar) { collector.RegisterMetricsServiceServer(to, s) }

// Counts gives what an Audit policy would have done, zero for one that is not known.
func (s *Server) Counts(policy string) Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[policy]
}

// Forget drops what is known of a policy that is gone, or audits no more.
func (s *Server) Forget(policy string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.counts, policy)
	forget(policy)
}

// Export takes in one flush of a proxy. Counters are deltas.
func (s *Server) Export(ctx context.Context, in *collector.ExportMetricsServiceRequest) (*collector.ExportMetricsServiceResponse, error) {
	view, err := s.options.View(ctx)
	if err != nil {
		return nil, err
	}
	counted, mishaps := s.add(view, in)
	if s.options.Mishap != nil {
		for m, n := range mishaps {
			s.options.Mishap(view, m, n)
		}
	}
	if s.options.Counted != nil {
		for policy := range counted {
			s.options.Counted(policy)
		}
	}
	return &collector.ExportMetricsServiceResponse{}, nil
}

// add gives the policies that a flush has counted, and its mishaps. Which are audited is
// asked under the lock: a policy that is forgotten meanwhile is forgotten after this.
func (s *Server) add(view string, in *collector.ExportMetricsServiceRequest) (map[string]struct{}, map[model.Mishap]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	audited := s.options.Audited(view)
	counted, mishaps := map[string]struct{}{}, map[model.Mishap]int64{}
	for _, resource := range in.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				n := pushedBy(metric)
				if n == 0 {
					continue
				}
				if m, ok := parseMishap(metric.GetName()); ok {
					mishaps[m] = min(maxPushed, mishaps[m]+n)
					continue
				}
				s.addMetric(audited, metric.GetName(), n, counted)
			}
		}
	}
	return counted, mishaps
}

// pushedBy is how much a push adds to a counter, 0 for what is none.
func pushedBy(metric *metrics.Metric) int64 {
	sum := metric.GetSum()
	if sum.GetAggregationTemporality() != metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA {
		return 0
	}
	var n int64
	for _, point := range sum.GetDataPoints() {
		n = min(maxPushed, plus(n, max(0, point.GetAsInt())))
	}
	return n
}

func (s *Server) addMetric(audited map[uint16]model.Audit, name string, n int64, counted map[string]struct{}) {
	counter, ok := parse(name)
	if !ok {
		return
	}
	audit, ok := audited[counter.port]
	if !ok {
		return
	}
	for _, policy := range counter.policies(audit) {
		s.count(policy, counter.denied, n)
		counted[policy] = struct{}{}
	}
}

func (s *Server) count(policy string, denied bool, n int64) {
	counts := s.counts[policy]
	total := &counts.Allowed
	if denied {
		total = &counts.Denied
	}
	before := *total
	*total = plus(before, n)
	s.counts[policy] = counts
	// The metric would begin again at 0 where the count stays.
	observe(policy, denied, *total-before)
}

// plus adds what is not negative, and stays at the largest number that there is.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
