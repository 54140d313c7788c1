// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"

	"k8s.io/component-base/metrics/legacyregistry"
)

// addMetrics serves /metrics in plain HTTP, as Prometheus asks for it without
// credentials. Labels name kinds, verbs and results, never objects; who wants even that closed sets --metrics-port to 0 and scrapes
// the API's own /metrics, which asks for authorization.
func (s *Server) addMetrics() error {
	if s.options.Mesh.MetricsPort == 0 {
		return nil
	}
	listener, err := s.listen("--metrics-port", s.options.Mesh.MetricsPort)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", legacyregistry.Handler())
	s.components.add(everyReplica, "metrics", func(ctx context.Context) error {
		return serveHTTP(ctx, &http.Server{Handler: mux}, bounded(listener, "metrics", metricsConnections))
	})
	return nil
}
