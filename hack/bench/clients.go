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

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Types of Envoy's resources.
const (
	clusterType  = xdstest.ClusterType
	endpointType = xdstest.EndpointType
	listenerType = xdstest.ListenerType
	routeType    = xdstest.RouteType
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
	client, err := xdstest.Connect(ctx, c.config.Address, config, c.config.IDs[i], xdstest.EnvoyWindows()...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := c.subscribe(client, i); err != nil {
		return err
	}
	return c.follow(client, i)
}

// subscribe asks for what a client wants, in the order that Envoy has.
func (c *clients) subscribe(client *xdstest.Client, i int) error {
	endpoints := append([]string(nil), c.config.Endpoints...)
	for name, n := range c.config.Hot {
		if i < n {
			endpoints = append(endpoints, name)
		}
	}
	return errors.Join(
		client.Subscribe(clusterType, xdstest.Wildcard),
		client.Subscribe(endpointType, endpoints...),
		client.Subscribe(listenerType, xdstest.Wildcard),
		client.Subscribe(routeType, c.config.Routes...))
}

// follow ACKs all that comes.
func (c *clients) follow(client *xdstest.Client, i int) error {
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
		r, err := client.Skim()
		if err != nil {
			return err
		}
		if err := client.ACK(r.TypeURL, r.Nonce); err != nil {
			return err
		}
		now := time.Now().UnixNano()
		c.count(r, now)
		if complete {
			continue
		}
		missing[r.TypeURL] -= len(r.Resources) + r.Removed
		complete = missing[clusterType] <= 0 && missing[listenerType] <= 0 && missing[endpointType] <= 0 && missing[routeType] <= 0
		c.countComplete(r.Bytes, complete, now)
	}
}

// count says so when the last client has ACKed a version of a hot resource.
func (c *clients) count(r xdstest.Skimmed, now int64) {
	if r.TypeURL != endpointType {
		return
	}
	for _, resource := range r.Resources {
		want := c.config.Hot[resource.Name]
		if want == 0 {
			continue
		}
		key := resource.Name + " " + resource.Version + " "
		c.mu.Lock()
		c.acked[key]++
		all := c.acked[key] == want
		if all {
			// An older version may come again.
			delete(c.acked, key)
			_ = c.out.Encode(ClientsEvent{Hot: resource.Name, At: now})
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
