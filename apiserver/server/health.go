// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/apiserver/pkg/server/healthz"
)

// firstLists is how long the informers may take before /livez calls for a restart.
const firstLists = 5 * time.Minute

// addHealthChecks adds to what the API server checks by itself: etcd, its own
// informers, hooks, shutdown. Ready is who can serve proxies, pods and users;
// alive is who may yet become ready without a restart.
//
// What identity needs is looked at until it has been there once; a root that was
// lost before the start counts as read. If it goes later (somebody deletes the root
// Secret, or unbinds the admission policy),
// issuing stops and metrics, log and Events say so, but the API, the webhook and
// running proxies keep their server: an unavailable APIService would block the
// deletion of every namespace of the cluster. For the same reason the kubelet leaves
// mesh-database out (artifacts/deploy/statefulset.yaml).
func (s *Server) addHealthChecks() error {
	var ready []healthz.HealthChecker
	for _, c := range s.identity.Checks() {
		ready = append(ready, untilFirst(c))
	}
	ready = append(ready,
		untilFirst(check("mesh-client-authorities", s.clientAuthorities)),
		check("mesh-serving-certificate", s.serving.Ready),
		check("mesh-database", s.identity.ForeignDatabase),
		s.whileHeld("mesh-informers", s.controller.Ready, s.clients.listed),
		s.whileHeld("mesh-xds", s.xds.Ready, s.xds.Listening),
	)
	if err := s.generic.AddReadyzChecks(ready...); err != nil {
		return err
	}
	return s.generic.AddLivezChecks(firstLists,
		healthz.NamedCheck("mesh-informers", func(*http.Request) error { return s.clients.listed() }),
		healthz.NamedCheck("mesh-xds", func(r *http.Request) error { return dials(r.Context(), s.xdsAddress) }),
	)
}

// clientAuthorities tells whether the authorities are known by which callers are
// recognized, those of the aggregator among them. Until then a connection is taken
// without a certificate, and whoever opened it is anonymous to its end.
func (s *Server) clientAuthorities() error {
	if authorities := s.generic.SecureServingInfo.ClientCA; authorities != nil && len(authorities.CurrentCABundleContent()) == 0 {
		return errors.New("the ConfigMap kube-system/extension-apiserver-authentication has not been read yet")
	}
	return nil
}

// untilFirst is healthy for good once c has been healthy.
func untilFirst(c healthz.HealthChecker) healthz.HealthChecker {
	var passed atomic.Bool
	return healthz.NamedCheck(c.Name(), func(r *http.Request) error {
		if passed.Load() {
			return nil
		}
		if err := c.Check(r); err != nil {
			return err
		}
		passed.Store(true)
		return nil
	})
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
