// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage/etcd3/testserver"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	restclient "k8s.io/client-go/rest"
	basecompatibility "k8s.io/component-base/compatibility"

	"github.com/openservicemesh/mesh-apiserver/generated/openapi"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
)

// Server serves groups from a real etcd to every caller, without admission.
type Server struct {
	// Client is the configuration of clients whose warnings Warnings gives.
	Client *restclient.Config
	// Etcd has all objects below /test.
	Etcd clientv3.KV

	lock sync.Mutex
	said []string
}

// Start serves groups of a scheme until the test ends.
func Start(t *testing.T, scheme *runtime.Scheme, groups ...group.Group) *Server {
	t.Helper()
	etcd := testserver.RunEtcd(t, nil)

	config := genericapiserver.NewConfig(serializer.NewCodecFactory(scheme))
	config.ExternalAddress = "localhost:443"
	config.LoopbackClientConfig = &restclient.Config{}
	config.EffectiveVersion = basecompatibility.NewEffectiveVersionFromString("1.0", "", "")
	config.Authorization.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	namer := openapinamer.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	storeIn(t, config, scheme, etcd.Endpoints())

	server, err := config.Complete(nil).New("test", genericapiserver.NewEmptyDelegate())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Destroy)
	infos, err := group.Infos(groups, scheme, config.RESTOptionsGetter)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.InstallAPIGroups(infos...); err != nil {
		t.Fatal(err)
	}
	server.PrepareRun()
	listener := httptest.NewServer(server.Handler)
	t.Cleanup(listener.Close)

	s := &Server{Etcd: etcd.KV}
	s.Client = &restclient.Config{Host: listener.URL, QPS: -1, WarningHandlerWithContext: s}
	return s
}

func storeIn(t *testing.T, config *genericapiserver.Config, scheme *runtime.Scheme, endpoints []string) {
	t.Helper()
	backend := storagebackend.NewDefaultConfig("/test", nil)
	backend.Transport.ServerList = endpoints
	options := genericoptions.NewEtcdOptions(backend)
	options.DefaultStorageMediaType = runtime.ContentTypeProtobuf
	factory := serverstorage.NewDefaultStorageFactory(options.StorageConfig, options.DefaultStorageMediaType, serializer.NewCodecFactory(scheme),
		serverstorage.NewDefaultResourceEncodingConfig(scheme), serverstorage.NewResourceConfig(), nil)
	if err := options.ApplyWithStorageFactoryTo(factory, config); err != nil {
		t.Fatal(err)
	}
}

// HandleWarningHeaderWithContext keeps the warnings that a response carries.
func (s *Server) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.said = append(s.said, text)
}

// Warnings gives, and forgets, what responses have warned about.
func (s *Server) Warnings() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	said := s.said
	s.said = nil
	return said
}

// Request sends a request as curl would, with names and values of headers, and
// gives the status and the body.
func (s *Server) Request(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.Client.Host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}
