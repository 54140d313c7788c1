// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage/etcd3/testserver"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	restclient "k8s.io/client-go/rest"
	basecompatibility "k8s.io/component-base/compatibility"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/openapi"
)

// testServer serves the group from a real etcd, to everybody, without admission.
type testServer struct {
	url    string
	client *versioned.Clientset
	etcd   clientv3.KV

	lock sync.Mutex
	said []string
}

// HandleWarningHeaderWithContext keeps the warnings that a response carries.
func (s *testServer) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.said = append(s.said, text)
}

func (s *testServer) warnings() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	said := s.said
	s.said = nil
	return said
}

func startServer(t *testing.T, config Config) *testServer {
	t.Helper()
	etcd := testserver.RunEtcd(t, nil)

	generic := genericapiserver.NewConfig(scheme.Codecs)
	generic.ExternalAddress = "localhost:443"
	generic.LoopbackClientConfig = &restclient.Config{}
	generic.EffectiveVersion = basecompatibility.NewEffectiveVersionFromString("1.0", "", "")
	generic.Authorization.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	namer := openapinamer.NewDefinitionNamer(scheme.Scheme)
	generic.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	generic.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	storeIn(t, generic, etcd.Endpoints())

	server, err := generic.Complete(nil).New("test", genericapiserver.NewEmptyDelegate())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Destroy)
	group, err := NewStorage(generic.RESTOptionsGetter, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.InstallAPIGroup(&group); err != nil {
		t.Fatal(err)
	}
	server.PrepareRun()
	listener := httptest.NewServer(server.Handler)
	t.Cleanup(listener.Close)

	s := &testServer{url: listener.URL, etcd: etcd.KV}
	s.client, err = versioned.NewForConfig(&restclient.Config{Host: listener.URL, QPS: -1, WarningHandlerWithContext: s})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clear empties etcd and forgets the warnings.
func (s *testServer) clear(t *testing.T) {
	t.Helper()
	policies := s.client.MeshV1alpha1().MeshPolicies("bookstore")
	if err := policies.DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	s.warnings()
}

func storeIn(t *testing.T, generic *genericapiserver.Config, endpoints []string) {
	t.Helper()
	backend := storagebackend.NewDefaultConfig("/test", nil)
	backend.Transport.ServerList = endpoints
	options := genericoptions.NewEtcdOptions(backend)
	options.DefaultStorageMediaType = runtime.ContentTypeProtobuf
	factory := serverstorage.NewDefaultStorageFactory(options.StorageConfig, options.DefaultStorageMediaType, scheme.Codecs,
		serverstorage.NewDefaultResourceEncodingConfig(scheme.Scheme), serverstorage.NewResourceConfig(), nil)
	if err := options.ApplyWithStorageFactoryTo(factory, generic); err != nil {
		t.Fatal(err)
	}
}

// request sends a request as curl would, and gives the status and the body.
func (s *testServer) request(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
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

const policiesPath = "/apis/" + v1alpha1.GroupName + "/v1alpha1/namespaces/bookstore/meshpolicies"
