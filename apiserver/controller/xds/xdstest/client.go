// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package xdstest plays proxies against a server of delta ADS, for tests and
// measurements: Client is one stream, which its user answers on; Proxy is a Client
// that behaves as the Envoy in a pod does.
package xdstest

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
)

// Types of Envoy's resources.
const (
	ClusterType   = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	EndpointType  = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	ExtensionType = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
	ListenerType  = "type.googleapis.com/envoy.config.listener.v3.Listener"
	RouteType     = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	SecretType    = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
)

// Wildcard is the name that asks for all resources of a type.
const Wildcard = "*"

// EnvoyWindows has a client open the windows that Envoy opens by default
// (Http2ProtocolOptions). gRPC's own client finds a window by pings that Envoy does
// not send.
func EnvoyWindows() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithStaticStreamWindowSize(16 << 20), grpc.WithStaticConnWindowSize(24 << 20)}
}

// maxResponse bounds one response, in bytes: a stream's first may have all that
// there is.
const maxResponse = 64 << 20

// method is the one call of the protocol that is used.
const method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"

// Client is one stream. One goroutine may receive while others send.
type Client struct {
	// Connection is the stream's own.
	Connection *grpc.ClientConn
	stream     grpc.ClientStream
	cancel     context.CancelFunc
	node       string

	sending sync.Mutex
	greeted bool
}

// Connect opens a connection with a stream, until ctx ends or Close is called. The
// first request carries the node's ID, unless that is empty.
func Connect(ctx context.Context, address string, config *tls.Config, node string, options ...grpc.DialOption) (*Client, error) {
	options = append(slices.Clone(options), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	connection, err := grpc.NewClient(address, options...)
	if err != nil {
		return nil, fmt.Errorf("make a client of %s: %w", address, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method,
		grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(maxResponse))
	if err != nil {
		cancel()
		connection.Close()
		return nil, fmt.Errorf("open a stream to %s: %w", address, err)
	}
	return &Client{Connection: connection, stream: stream, cancel: cancel, node: node}, nil
}

// Node is the ID that the client sends.
func (c *Client) Node() string { return c.node }

// Close ends the stream and the connection.
func (c *Client) Close() {
	c.cancel()
	c.Connection.Close()
}

// Send sends a request. What the server has said, if the stream has ended, comes by
// Receive.
func (c *Client) Send(request *discovery.DeltaDiscoveryRequest) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if !c.greeted && request.Node == nil && c.node != "" {
		request.Node = &corev3.Node{Id: c.node}
	}
	c.greeted = true
	data, err := proto.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	return c.stream.SendMsg(data)
}

// Subscribe asks for names of a type, Wildcard for all; without any, which on a
// first request means all.
func (c *Client) Subscribe(typeURL string, names ...string) error {
	return c.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names})
}

// Resume is Subscribe for a client that has versions of resources, by name, from an
// earlier stream.
func (c *Client) Resume(typeURL string, have map[string]string, names ...string) error {
	return c.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names, InitialResourceVersions: have})
}

// ACK accepts a response.
func (c *Client) ACK(typeURL, nonce string) error {
	return c.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResponseNonce: nonce})
}

// NACK refuses a response.
func (c *Client) NACK(typeURL, nonce, message string) error {
	return c.Send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: typeURL, ResponseNonce: nonce, ErrorDetail: &statuspb.Status{Code: int32(codes.Internal), Message: message},
	})
}

// Receive waits for the next response.
func (c *Client) Receive() (*discovery.DeltaDiscoveryResponse, error) {
	data, err := c.receive()
	if err != nil {
		return nil, err
	}
	response := new(discovery.DeltaDiscoveryResponse)
	if err := proto.Unmarshal(data, response); err != nil {
		return nil, fmt.Errorf("decode a response: %w", err)
	}
	return response, nil
}

// Skim is Receive for who looks at names and versions alone.
func (c *Client) Skim() (Skimmed, error) {
	data, err := c.receive()
	if err != nil {
		return Skimmed{}, err
	}
	return skim(data)
}

func (c *Client) receive() ([]byte, error) {
	var data []byte
	if err := c.stream.RecvMsg(&data); err != nil {
		return nil, err
	}
	return data, nil
}

// ACKAll ACKs all that comes, until the stream ends, which is the error.
func (c *Client) ACKAll() error {
	for {
		response, err := c.Skim()
		if err != nil {
			return err
		}
		if err := c.ACK(response.TypeURL, response.Nonce); err != nil {
			return err
		}
	}
}

// Describe writes a response as "Cluster a b -c": what it sets and removes.
func Describe(r *discovery.DeltaDiscoveryResponse) string {
	words := []string{Short(r.GetTypeUrl())}
	for _, resource := range r.GetResources() {
		words = append(words, resource.GetName())
	}
	for _, name := range r.GetRemovedResources() {
		words = append(words, "-"+name)
	}
	return strings.Join(words, " ")
}

// Short is the last part of a type's URL: "Cluster".
func Short(typeURL string) string { return typeURL[strings.LastIndexByte(typeURL, '.')+1:] }
