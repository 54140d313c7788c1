// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/x509"
	"errors"

	"google.golang.org/grpc"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
)

// addXDS opens the port of the proxies.
func (s *Server) addXDS() error {
	listener, err := s.listen("--xds-port", s.options.Mesh.XDSPort)
	if err != nil {
		return err
	}
	s.xdsAddress = listener.Addr()
	// The controller comes after both.
	s.telemetry = telemetry.New(telemetry.Options{
		Audited: func(view string) map[uint16]model.Audit { return s.controller.Audited(view) },
		Mishap:  func(view string, m model.Mishap, n int64) { s.controller.Mishap(view, m, n) },
		Counted: func(policy string) { s.controller.Counted(policy) },
	})
	s.xds = xds.New(xds.Options{
		Register: s.registerTelemetry,
		Identify: s.settings.identify,
		// The controller comes after the xDS server, which it delivers to.
		Notify:  func(id unit.ID) { s.controller.Notify(id) },
		Refused: func(nack xds.Nack) { s.controller.Refused(nack) },
	})
	s.components.add(everyReplica, "xDS", func(ctx context.Context) error {
		return s.xds.Serve(ctx, bounded(listener, "xds", xdsConnections), s.identity.XDSServerTLS())
	})
	return nil
}

// registerTelemetry takes in what proxies push, by the connection that they get
// their configuration on.
func (s *Server) registerTelemetry(to grpc.ServiceRegistrar, view func(context.Context) (string, error)) {
	s.telemetry.SetView(view)
	s.telemetry.Register(to)
}

// identify reads from a proxy's verified certificate who it is.
func (s settings) identify(certificate *x509.Certificate) (xds.Peer, error) {
	config, err := s.meshConfig()
	if err != nil {
		return xds.Peer{}, errors.Join(xds.ErrNotConfigured, err)
	}
	name, err := leaf.Parse(certificate, config.Spec.Certificate.TrustDomain)
	if err != nil {
		return xds.Peer{}, err
	}
	return xds.Peer{ID: name.ProxyID(), ServiceAccount: name.ServiceAccount}, nil
}
