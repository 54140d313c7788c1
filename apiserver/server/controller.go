// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/chains"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/meshconfig"
)

// addController joins the informers of both APIs, the roots, and the xDS server.
func (s *Server) addController() error {
	kept := chains.New(s.etcd)
	var err error
	s.controller, err = controller.New(controller.Options{
		Host:          s.clients.hostInformers,
		Registrations: s.clients.registrations,
		Mesh:          s.clients.meshInformers,
		Client:        s.clients.mesh,
		Delivery:      s.xds,
		Chains:        kept,
		Events:        s.events,
		Database:      s.mayUse,
		TrustDomain:   s.options.Mesh.TrustDomain,

		Telemetry:       s.telemetry,
		SystemNamespace: s.options.Mesh.SystemNamespace,
	})
	if err != nil {
		return err
	}
	keeper, err := meshconfig.New(s.clients.mesh, s.clients.meshInformers, s.options.Mesh.TrustDomain, s.mayUse)
	if err != nil {
		return fmt.Errorf("keep the MeshConfig: %w", err)
	}
	s.components.add(everyReplica, "records of filter chains", func(ctx context.Context) error {
		defer s.etcd.Close()
		return kept.Run(ctx)
	})
	s.components.add(everyReplica, "controller", func(ctx context.Context) error {
		s.identity.OnRoots(s.controller.SetRoots)
		s.identity.OnDatabase(func() {
			s.controller.LookAgain()
			keeper.LookAgain()
		})
		return s.controller.Run(ctx)
	})
	s.components.add(leaderAlone, "statuses", s.controller.WriteStatuses)
	s.components.add(leaderAlone, "MeshConfig keeper", keeper.Run)
	return nil
}
