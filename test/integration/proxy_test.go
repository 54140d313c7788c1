// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Types of Envoy's resources.
const (
	clusterType  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	endpointType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	listenerType = "type.googleapis.com/envoy.config.listener.v3.Listener"
	routeType    = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	secretType   = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
)

// proxy speaks to the xDS server as the Envoy in a pod does, and keeps what it is told.
type proxy struct {
	t      *testing.T
	id     string
	stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	cancel context.CancelFunc
	// sending is held by who sends, since a stream takes one at a time.
	sending sync.Mutex

	mu sync.Mutex
	// resources are by type and name.
	resources map[string]map[string]*discovery.Resource
	// missing are names that were answered by their absence.
	missing map[string]bool
	// received counts resources by type, the same one again included.
	received map[string]int
	// refusals are what to say against resources of a type.
	refusals map[string]string
	// asked are, where the proxy follows what it is told, the names that it has asked for.
	asked map[envoytest.Reference]bool
	// receipts are what came, in order: "Cluster NAME", or "Cluster -NAME" for what is gone.
	receipts []string
	ended    error
}

func idOf(pod *corev1.Pod) string {
	return model.ProxyID{Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID)}.String()
}

// connect opens a stream until the test ends.
func connect(t *testing.T, certificate tls.Certificate, id string) *proxy {
	t.Helper()
	roots, _ := meshRoots(t)
	connection, err := grpc.NewClient(server.Address+":15012", grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, ServerName: harness.ServerName, MinVersion: tls.VersionTLS13,
	})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	p := &proxy{
		t: t, id: id, stream: stream, cancel: cancel,
		resources: map[string]map[string]*discovery.Resource{}, missing: map[string]bool{},
		received: map[string]int{}, refusals: map[string]string{},
	}
	t.Cleanup(func() {
		cancel()
		_ = connection.Close()
	})
	go p.read()
	return p
}

func (p *proxy) read() {
	for {
		response, err := p.stream.Recv()
		if err != nil {
			p.mu.Lock()
			p.ended = err
			p.mu.Unlock()
			return
		}
		answer := p.take(response)
		p.sending.Lock()
		_ = p.stream.Send(answer) // the next Recv tells of an error
		p.sending.Unlock()
		p.followUp(response)
	}
}

// take keeps a response, or refuses it, and gives the answer to send.
func (p *proxy) take(response *discovery.DeltaDiscoveryResponse) *discovery.DeltaDiscoveryRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	kind := response.GetTypeUrl()
	answer := &discovery.DeltaDiscoveryRequest{TypeUrl: kind, ResponseNonce: response.GetNonce()}
	p.received[kind] += len(response.GetResources())
	if words := p.refusals[kind]; words != "" {
		answer.ErrorDetail = &statuspb.Status{Code: 3, Message: words}
		return answer
	}
	if p.resources[kind] == nil {
		p.resources[kind] = map[string]*discovery.Resource{}
	}
	for _, resource := range response.GetResources() {
		p.resources[kind][resource.GetName()] = resource
		p.receipts = append(p.receipts, short(kind)+" "+resource.GetName())
	}
	for _, name := range response.GetRemovedResources() {
		delete(p.resources[kind], name)
		p.missing[name] = true
		p.receipts = append(p.receipts, short(kind)+" -"+name)
	}
	return answer
}

// subscribe asks for names of a type, "*" for all, having what have says.
func (p *proxy) subscribe(kind string, have map[string]string, names ...string) {
	p.t.Helper()
	p.sending.Lock()
	defer p.sending.Unlock()
	err := p.stream.Send(&discovery.DeltaDiscoveryRequest{
		Node: &corev3.Node{Id: p.id}, TypeUrl: kind, ResourceNamesSubscribe: names, InitialResourceVersions: have,
	})
	if err != nil {
		p.t.Logf("subscribe: %v", err) // what the server said comes by the stream's end
	}
}

// refuse has the proxy NACK what comes of a type, until the words are empty.
func (p *proxy) refuse(kind, words string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals[kind] = words
}

// resource gives what the proxy has by a name.
func (p *proxy) resource(kind, name string) (*discovery.Resource, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return nil, fmt.Errorf("the stream has ended: %w", p.ended)
	}
	if resource := p.resources[kind][name]; resource != nil {
		return resource, nil
	}
	return nil, fmt.Errorf("no %s; there are %v", name, slices.Sorted(maps.Keys(p.resources[kind])))
}

// has is resource as a condition to wait for.
func (p *proxy) has(kind, name string) func(context.Context) error {
	return func(context.Context) error {
		_, err := p.resource(kind, name)
		return err
	}
}

// lacks waits for the answer that there is nothing by a name.
func (p *proxy) lacks(name string) func(context.Context) error {
	return func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.missing[name] {
			return fmt.Errorf("%s was not called missing", name)
		}
		return nil
	}
}

// versions are of all resources of a type.
func (p *proxy) versions(kind string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]string{}
	for name, resource := range p.resources[kind] {
		out[name] = resource.GetVersion()
	}
	return out
}

func (p *proxy) count(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.received[kind]
}

// end is how the stream has ended, nil while it has not.
func (p *proxy) end() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}
