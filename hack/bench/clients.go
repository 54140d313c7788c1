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
	"io"
	"os"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Types of Envoy's resources.
const (
	clusterType  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	endpointType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	listenerType = "type.googleapis.com/envoy.config.listener.v3.Listener"
	routeType    = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
)

// deltaMethod is the one call of the protocol that is used.
const deltaMethod = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"

// The windows are Envoy's defaults (Http2ProtocolOptions). gRPC's own client would
// find a window by pings that Envoy does not send.
const (
	streamWindow     = 16 << 20
	connectionWindow = 24 << 20
)

// ClientsConfig tells a process of thin clients what to do; it comes as JSON on
// its standard input, which ends when the process is to end.
type ClientsConfig struct {
	Address      string
	Roots, Key   []byte // PEM; all clients have one key
	Certificates [][]byte
	IDs          []string
	// Clusters and Listeners are how many of each a client waits for.
	Clusters, Listeners int
	// Endpoints and Routes are asked for by every client.
	Endpoints, Routes []string
	// Hot are further endpoints, by name how many clients ask for them.
	Hot map[string]int
}

// ClientsEvent is a line of what such a process prints: without a name that all
// clients have all, with one that all that want it have ACKed a version of it.
type ClientsEvent struct {
	Hot string `json:"hot,omitempty"`
	// At is when the last of them sent its ACK, in nanoseconds since 1970.
	At int64 `json:"at"`
	// Bytes are all that came before, with Hot empty.
	Bytes int64  `json:"bytes,omitempty"`
	Error string `json:"error,omitempty"`
}

// clients are all thin clients of a process.
type clients struct {
	config ClientsConfig
	out    *json.Encoder

	mu       sync.Mutex
	acked    map[string]int // by name and version of a hot resource
	complete int
	bytes    int64
}

func runClients(ctx context.Context) error {
	input := json.NewDecoder(os.Stdin)
	c := &clients{out: json.NewEncoder(os.Stdout), acked: map[string]int{}}
	if err := input.Decode(&c.config); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.config.Roots) {
		return errors.New("no roots")
	}
	for i := range c.config.IDs {
		pair, err := tls.X509KeyPair(c.config.Certificates[i], c.config.Key)
		if err != nil {
			return err
		}
		go func() {
			if err := c.run(ctx, i, &tls.Config{
				Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: harness.ServerName, MinVersion: tls.VersionTLS13,
			}); err != nil {
				c.say(ClientsEvent{Error: fmt.Sprintf("client %d: %v", i, err)})
			}
		}()
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func (c *clients) say(e ClientsEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.out.Encode(e) // nobody is there to be told that nobody listens
}

func (c *clients) run(ctx context.Context, i int, config *tls.Config) error {
	connection, err := grpc.NewClient(c.config.Address, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithStaticStreamWindowSize(streamWindow), grpc.WithStaticConnWindowSize(connectionWindow),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, deltaMethod)
	if err != nil {
		return err
	}
	for _, request := range c.requests(i) {
		data, err := proto.Marshal(request)
		if err != nil {
			return err
		}
		if err := stream.SendMsg(data); err != nil {
			return err
		}
	}
	return c.follow(stream, i)
}

// requests are the subscriptions of a client, in the order that Envoy has.
func (c *clients) requests(i int) []*discovery.DeltaDiscoveryRequest {
	endpoints := append([]string(nil), c.config.Endpoints...)
	for name, n := range c.config.Hot {
		if i < n {
			endpoints = append(endpoints, name)
		}
	}
	return []*discovery.DeltaDiscoveryRequest{
		{Node: &corev3.Node{Id: c.config.IDs[i]}, TypeUrl: clusterType, ResourceNamesSubscribe: []string{"*"}},
		{TypeUrl: endpointType, ResourceNamesSubscribe: endpoints},
		{TypeUrl: listenerType, ResourceNamesSubscribe: []string{"*"}},
		{TypeUrl: routeType, ResourceNamesSubscribe: c.config.Routes},
	}
}

// follow ACKs all that comes.
func (c *clients) follow(stream grpc.ClientStream, i int) error {
	missing := map[string]int{
		clusterType: c.config.Clusters, listenerType: c.config.Listeners,
		endpointType: len(c.config.Endpoints), routeType: len(c.config.Routes),
	}
	for _, n := range c.config.Hot {
		if i < n {
			missing[endpointType]++
		}
	}
	complete := false
	for {
		var data []byte
		if err := stream.RecvMsg(&data); err != nil {
			return err
		}
		r, err := parseResponse(data)
		if err != nil {
			return err
		}
		ack, err := proto.Marshal(&discovery.DeltaDiscoveryRequest{TypeUrl: r.typeURL, ResponseNonce: r.nonce})
		if err != nil {
			return err
		}
		if err := stream.SendMsg(ack); err != nil {
			return err
		}
		now := time.Now().UnixNano()
		c.count(r, now)
		if complete {
			continue
		}
		missing[r.typeURL] -= len(r.resources) + r.removed
		complete = missing[clusterType] <= 0 && missing[listenerType] <= 0 && missing[endpointType] <= 0 && missing[routeType] <= 0
		c.countComplete(len(data), complete, now)
	}
}

// count says so when the last client has ACKed a version of a hot resource.
func (c *clients) count(r rawResponse, now int64) {
	if r.typeURL != endpointType {
		return
	}
	for _, resource := range r.resources {
		want := c.config.Hot[resource.name]
		if want == 0 {
			continue
		}
		key := resource.name + " " + resource.version + " "
		c.mu.Lock()
		c.acked[key]++
		all := c.acked[key] == want
		if all {
			// An older version may come again.
			delete(c.acked, key)
			_ = c.out.Encode(ClientsEvent{Hot: resource.name, At: now})
		}
		c.mu.Unlock()
	}
}

func (c *clients) countComplete(bytes int, complete bool, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += int64(bytes)
	if !complete {
		return
	}
	if c.complete++; c.complete == len(c.config.IDs) {
		_ = c.out.Encode(ClientsEvent{At: now, Bytes: c.bytes})
	}
}
