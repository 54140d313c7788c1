// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/apiserver/pkg/server/healthz"
)

// firstLists is how long the informers may take before /livez calls for a restart.
const firstLists = 5 * time.Minute

// addHealthChecks adds to what the API server checks by itself: etcd, its own
// informers, hooks, shutdown. Ready is who can serve proxies, pods and users;
// alive is who may yet become ready without a restart.
func (s *Server) addHealthChecks() error {
	ready := append(s.identity.Checks(),
		check("mesh-serving-certificate", s.serving.Ready),
		check("mesh-informers", s.controller.Ready),
		check("mesh-xds", s.xds.Ready),
	)
	if err := s.generic.AddReadyzChecks(ready...); err != nil {
		return err
	}
	return s.generic.AddLivezChecks(firstLists,
		check("mesh-informers", s.clients.listed),
		healthz.NamedCheck("mesh-xds", func(r *http.Request) error { return dials(r.Context(), s.xdsAddress) }),
	)
}

func check(name string, healthy func() error) healthz.HealthChecker {
	return healthz.NamedCheck(name, func(*http.Request) error { return healthy() })
}

// dials tells whether somebody accepts connections.
func dials(ctx context.Context, address net.Addr) error {
	dialer := net.Dialer{Timeout: time.Second}
	connection, err := dialer.DialContext(ctx, address.Network(), address.String())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return connection.Close()
}
