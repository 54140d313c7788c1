// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller"
	"github.com/openservicemesh/mesh-apiserver/apiserver/options"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
	meshrest "github.com/openservicemesh/mesh-apiserver/registry/mesh/rest"
)

// groups are the API groups that the server serves. The aggregator finds it by the
// APIServices of all their versions, whose caBundles the server keeps.
func groups(o *options.Options, c *clients) []group.Group {
	return []group.Group{
		meshrest.Group(meshrest.Config{
			SystemNamespace: o.Mesh.SystemNamespace,
			References:      controller.NewReferences(c.hostInformers),
		}),
	}
}

// installGroups makes the storage of all groups and serves them.
func (s *Server) installGroups(config *genericapiserver.RecommendedConfig) error {
	infos, err := group.Infos(s.groups, scheme.Scheme, config.RESTOptionsGetter)
	if err != nil {
		return err
	}
	if err := s.generic.InstallAPIGroups(infos...); err != nil {
		return fmt.Errorf("install the API groups: %w", err)
	}
	return nil
}
