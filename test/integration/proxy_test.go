// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Types of Envoy's resources.
const (
	clusterType  = xdstest.ClusterType
	endpointType = xdstest.EndpointType
	listenerType = xdstest.ListenerType
	routeType    = xdstest.RouteType
	secretType   = xdstest.SecretType
)

// proxy speaks to the xDS server as the Envoy in a pod does, and keeps what it is told.
type proxy struct {
	*xdstest.Proxy
	t *testing.T
}

func idOf(pod *corev1.Pod) string {
	return model.ProxyID{Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID)}.String()
}

// dial opens a stream to the xDS server.
func dial(ctx context.Context, certificate tls.Certificate, roots *x509.CertPool, id string) (*xdstest.Client, error) {
	return xdstest.Connect(ctx, server.Address+":15012", &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, ServerName: harness.ServerName, MinVersion: tls.VersionTLS13,
	}, id)
}

// connect opens a stream until the test ends.
func connect(t *testing.T, certificate tls.Certificate, id string) *proxy {
	t.Helper()
	roots, _ := meshRoots(t)
	client, err := dial(t.Context(), certificate, roots, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &proxy{xdstest.NewProxy(client), t}
}

// subscribe asks for names of a type, "*" for all, having what have says.
func (p *proxy) subscribe(kind string, have map[string]string, names ...string) {
	p.t.Helper()
	if err := p.Resume(kind, have, names...); err != nil {
		p.t.Logf("subscribe: %v", err) // what the server said comes by the stream's end
	}
}

// has is Resource as a condition to wait for.
func (p *proxy) has(kind, name string) func(context.Context) error {
	return func(context.Context) error {
		_, err := p.Resource(kind, name)
		return err
	}
}

// lacks waits for the answer that there is nothing by a name.
func (p *proxy) lacks(name string) func(context.Context) error {
	return func(context.Context) error {
		if !p.Missing(name) {
			return fmt.Errorf("%s was not called missing", name)
		}
		return nil
	}
}
