// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"

	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity"
	"github.com/openservicemesh/mesh-apiserver/apiserver/server/serving"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
)

// startCertificates readies the mesh's root with its trust bundle, then the pair
// that the API and the webhook serve with: the listeners need both.
func (s *Server) startCertificates(ctx context.Context) error {
	namespace := s.options.Mesh.SystemNamespace
	var err error
	if s.identity, err = identity.New(s.clients.hostConfig, namespace, s.settings.certificates, s.renewal(), s.whichDatabase, s.events); err != nil {
		return err
	}
	s.serving = serving.New(s.clients.host, s.clients.aggregator, namespace, group.APIServices(s.groups, scheme.Scheme), webhookConfigurations)

	if err := s.clients.events.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	if err := s.identity.Start(ctx); err != nil {
		return fmt.Errorf("ready the mesh's root: %w", err)
	}
	if err := s.serving.Start(ctx); err != nil {
		return fmt.Errorf("ready the serving certificate: %w", err)
	}
	s.components.add(everyReplica, "certificate authority", s.identity.Run)
	s.components.add(leaderAlone, "renewal and publication of the root", s.identity.Lead)
	s.components.add(everyReplica, "serving certificate", s.keepServing)
	s.components.add(leaderAlone, "renewal and publication of the serving certificate", s.serving.Lead)
	return nil
}

// renewal asks the xDS server, which is there before anything runs.
func (s *Server) renewal() identity.Renewal {
	return identity.Renewal{
		PublishFor: s.options.Mesh.RootPublishFor,
		Lacking:    func(certificate []byte) []string { return s.xds.Lacking(certificate) },
	}
}

// keepServing has the caBundles written, by which the cluster begins to trust this
// server, and the server called ready, only once the informers know what to answer.
func (s *Server) keepServing(ctx context.Context) error {
	if err := s.clients.awaitLists(ctx); err != nil {
		return err
	}
	return s.serving.Run(ctx)
}
