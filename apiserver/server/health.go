// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"k8s.io/apiserver/pkg/server/healthz"
)

// addHealthChecks adds to what the API server checks by itself (etcd, its own
// informers, hooks, shutdown).
func (s *Server) addHealthChecks() error {
	ready := append(s.identity.Checks(), check("mesh-serving-certificate", s.serving.Ready))
	return s.generic.AddReadyzChecks(ready...)
}

func check(name string, healthy func() error) healthz.HealthChecker {
	return healthz.NamedCheck(name, func(*http.Request) error { return healthy() })
}
