// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// LinearConfig tells the peer what to serve; it comes as JSON on its standard
// input, which ends when the process is to end.
type LinearConfig struct {
	Address, Kubeconfig string
	Certificate, Key    []byte // PEM
	Roots               []byte
	// Resources are our server's own, encoded, by type.
	Resources map[string][]byte
}

// linear serves the same resources from go-control-plane's LinearCache, and
// follows EndpointSlices with an informer as our server does.
type linear struct {
	caches    map[string]*cachev3.LinearCache
	endpoints map[string]*endpointv3.ClusterLoadAssignment
}

func runLinear(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var config LinearConfig
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	l := linear{caches: map[string]*cachev3.LinearCache{}, endpoints: map[string]*endpointv3.ClusterLoadAssignment{}}
	for typeURL, encoded := range config.Resources {
		if err := l.load(typeURL, encoded); err != nil {
			return err
		}
	}
	if err := l.watch(ctx, config.Kubeconfig); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", config.Address)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(config.Certificate, config.Key)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(config.Roots)
	mux := &cachev3.MuxCache{
		Classify:      func(r *cachev3.Request) string { return r.GetTypeUrl() },
		ClassifyDelta: func(r *cachev3.DeltaRequest) string { return r.GetTypeUrl() },
		Caches:        map[string]cachev3.Cache{},
	}
	for typeURL, c := range l.caches {
		mux.Caches[typeURL] = c
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS13,
	})))
	discovery.RegisterAggregatedDiscoveryServiceServer(server, serverv3.NewServer(ctx, mux, nil))
	go func() {
		// Nothing comes but the end.
		_, _ = os.Stdin.Read(make([]byte, 1))
		server.Stop()
	}()
	fmt.Println("ready")
	return server.Serve(listener)
}

// load fills the cache of a type from a response of our server.
func (l linear) load(typeURL string, encoded []byte) error {
	var response discovery.DeltaDiscoveryResponse
	if err := proto.Unmarshal(encoded, &response); err != nil {
		return err
	}
	resources := map[string]types.Resource{}
	for _, r := range response.GetResources() {
		message, err := r.GetResource().UnmarshalNew()
		if err != nil {
			return fmt.Errorf("decode %s: %w", r.GetName(), err)
		}
		resources[r.GetName()] = message
		if assignment, ok := message.(*endpointv3.ClusterLoadAssignment); ok {
			l.endpoints[r.GetName()] = assignment
		}
	}
	l.caches[typeURL] = cachev3.NewLinearCache(typeURL, cachev3.WithInitialResources(resources))
	return nil
}

// watch makes assignments of EndpointSlices from now on.
func (l linear) watch(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(manyNamespace))
	informer := factory.Discovery().V1().EndpointSlices().Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(_, now any) {
			if err := l.update(now.(*discoveryv1.EndpointSlice)); err != nil {
				fmt.Fprintln(os.Stderr, "linear:", err)
			}
		},
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return errors.New("the informer did not sync")
	}
	return nil
}

// update gives an endpoint the form that our server gave the first.
func (l linear) update(slice *discoveryv1.EndpointSlice) error {
	name := endpointsName(slice.Labels[discoveryv1.LabelServiceName])
	old := l.endpoints[name]
	if old == nil || len(old.GetEndpoints()) == 0 {
		return fmt.Errorf("no assignment %s to begin with", name)
	}
	assignment := proto.CloneOf(old)
	locality := assignment.GetEndpoints()[0]
	form := locality.GetLbEndpoints()[0]
	locality.LbEndpoints = nil
	for _, endpoint := range slice.Endpoints {
		next := proto.CloneOf(form)
		next.GetEndpoint().GetAddress().GetSocketAddress().Address = endpoint.Addresses[0]
		locality.LbEndpoints = append(locality.LbEndpoints, next)
	}
	return l.caches[endpointType].UpdateResource(name, assignment)
}
