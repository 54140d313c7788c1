// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
)

// addXDS opens the port of the proxies.
func (s *Server) addXDS() error {
	listener, err := s.listen("--xds-port", s.options.Mesh.XDSPort)
	if err != nil {
		return err
	}
	s.xdsAddress = listener.Addr()
	s.xds = xds.New(xds.Options{
		Identify: s.settings.identify,
		// The controller comes after the xDS server, which it delivers to.
		Notify:  func(view string) { s.controller.Notify(view) },
		Refused: func(nack xds.Nack) { s.controller.Refused(nack) },
	})
	s.components.add("xDS", func(ctx context.Context) error {
		return s.xds.Serve(ctx, listener, s.identity.XDSServerTLS())
	})
	return nil
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
