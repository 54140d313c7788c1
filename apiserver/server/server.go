// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"

	clientv3 "go.etcd.io/etcd/client/v3"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/database"
	"github.com/openservicemesh/mesh-apiserver/apiserver/options"
	"github.com/openservicemesh/mesh-apiserver/apiserver/server/admission"
	"github.com/openservicemesh/mesh-apiserver/apiserver/server/leader"
	"github.com/openservicemesh/mesh-apiserver/apiserver/server/serving"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
)

// webhookConfigurations hold the webhooks that this server answers.
var webhookConfigurations = []string{"mesh-apiserver"}

// Server is the process, put together but for etcd.
type Server struct {
	options    *options.Options
	groups     []group.Group
	generic    *genericapiserver.GenericAPIServer
	etcd       *clientv3.Client
	database   *database.Database
	clients    *clients
	leader     *leader.Leader
	events     events.EventRecorder
	identity   *identity.Identity
	serving    *serving.Serving
	settings   settings
	xds        *xds.Server
	xdsAddress net.Addr
	telemetry  *telemetry.Server
	controller *controller.Controller
	components components
}

// newServer connects to the host cluster, readies the certificates and opens
// the listeners. fail is called when a part has failed that cannot be done without.
func newServer(ctx context.Context, o *options.Options, fail func(error)) (*Server, error) {
	config, err := o.Config()
	if err != nil {
		return nil, err
	}
	if err := admission.Apply(ctx, o.Recommended.Admission, config, o.Recommended.FeatureGate); err != nil {
		return nil, fmt.Errorf("set up admission: %w", err)
	}
	s := &Server{options: o, components: components{fail: fail}}
	if s.clients, err = newClients(config); err != nil {
		return nil, err
	}
	s.groups = groups(o, s.clients)
	if s.leader, err = leader.New(s.clients.hostConfig, o.Mesh.SystemNamespace, o.Mesh.Replica); err != nil {
		return nil, err
	}
	s.events = s.leader.Recorder(s.clients.events.NewRecorder(scheme.Scheme, "mesh-apiserver"))
	s.settings = settings{configs: s.clients.meshInformers.Mesh().V1alpha1().MeshConfigs().Lister()}
	if err := s.connectDatabase(); err != nil {
		return nil, err
	}
	if err := s.startCertificates(ctx); err != nil {
		return nil, err
	}
	config.SecureServing.Cert = s.serving
	config.SecureServing.Listener = bounded(config.SecureServing.Listener, "https", apiConnections)
	config.BuildHandlerChainFunc = withTodaysModels

	if s.generic, err = config.Complete().New("mesh-apiserver", genericapiserver.NewEmptyDelegate()); err != nil {
		return nil, fmt.Errorf("make the API server: %w", err)
	}
	if err := s.installGroups(config); err != nil {
		return nil, err
	}
	// In this order: the controller delivers to xDS.
	for _, add := range []func() error{s.addXDS, s.addController, s.addWebhook, s.addMetrics} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	s.addProxies()
	if err := s.addHealthChecks(); err != nil {
		return nil, fmt.Errorf("add health checks: %w", err)
	}
	return s, s.generic.AddPostStartHook("mesh", s.start)
}

// start runs when the API is there: the informers of our own kinds use it.
func (s *Server) start(hook genericapiserver.PostStartHookContext) error {
	s.clients.startInformers(hook)
	s.components.start(hook, s.leader.Run)
	return nil
}

// run serves until ctx ends, then drains: first /readyz fails for a while, then
// requests are refused and all parts stop.
func (s *Server) run(ctx context.Context) error {
	err := s.generic.PrepareRun().RunWithContext(ctx)
	s.components.wait()
	return err
}
