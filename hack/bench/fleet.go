// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// linearAddress is where the peer listens, in the measurement's own namespace.
const linearAddress = harness.SecondAddress + ":15012"

func endpointsName(service string) string { return "out/" + manyNamespace + "/" + service + ":8080" }

// fleet is who the clients are, and what they ask for.
type fleet struct {
	roots, key   []byte
	certificates [][]byte
	ids          []string
	issuer       leaf.CA
	private      *ecdsa.PrivateKey
	// resources are all that our server has for a proxy, encoded, by type.
	resources map[string][]byte
	counts    map[string]int
	routes    []string
}

func (s *session) newFleet(ctx context.Context, pods []*corev1.Pod) (*fleet, error) {
	f := &fleet{resources: map[string][]byte{}, counts: map[string]int{}}
	var err error
	if f.issuer, f.roots, err = s.issuer(ctx); err != nil {
		return nil, err
	}
	if err := f.makeKey(); err != nil {
		return nil, err
	}
	for _, pod := range pods {
		name := leaf.Name{Namespace: pod.Namespace, ServiceAccount: manyAccount, Pod: pod.Name, UID: string(pod.UID)}
		template, err := leaf.Template(name, "cluster.local", today())
		if err != nil {
			return nil, err
		}
		certificate, err := f.sign(template)
		if err != nil {
			return nil, err
		}
		f.certificates, f.ids = append(f.certificates, certificate), append(f.ids, name.ProxyID().String())
	}
	return f, f.readResources(ctx, s.mesh.Address+":15012")
}

// makeKey makes the one key that all certificates are for.
func (f *fleet) makeKey() error {
	var err error
	if f.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(f.private)
	if err != nil {
		return err
	}
	f.key = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return nil
}

func today() leaf.Validity {
	return leaf.Validity{NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour)}
}

func (f *fleet) sign(template *x509.Certificate) ([]byte, error) {
	der, err := leaf.Sign(template, f.private.Public(), f.issuer)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// readResources reads what the first proxy is told, until all Services are there.
func (f *fleet) readResources(ctx context.Context, address string) error {
	pair, err := tls.X509KeyPair(f.certificates[0], f.key)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.roots)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := xdstest.Connect(ctx, address,
		&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: harness.ServerName, MinVersion: tls.VersionTLS13}, f.ids[0])
	if err != nil {
		return err
	}
	defer client.Close()
	var names []string
	for i := range pushServices {
		names = append(names, endpointsName(serviceName(i)))
	}
	for _, want := range []struct {
		typeURL string
		names   []string
		least   int
	}{{clusterType, []string{xdstest.Wildcard}, pushServices}, {endpointType, names, pushServices}, {listenerType, []string{xdstest.Wildcard}, pushServices}, {routeType, names, pushServices}} {
		all, err := read(client, want.typeURL, want.names, want.least)
		if err != nil {
			return fmt.Errorf("read %s: %w", want.typeURL, err)
		}
		if f.resources[want.typeURL], err = proto.Marshal(all); err != nil {
			return err
		}
		f.counts[want.typeURL] = len(all.GetResources())
		if want.typeURL == routeType {
			for _, r := range all.GetResources() {
				f.routes = append(f.routes, r.GetName())
			}
		}
	}
	return nil
}

// read subscribes and ACKs until so many resources, or names that are not
// there, have come.
func read(client *xdstest.Client, typeURL string, names []string, least int) (*discovery.DeltaDiscoveryResponse, error) {
	if err := client.Subscribe(typeURL, names...); err != nil {
		return nil, err
	}
	all := &discovery.DeltaDiscoveryResponse{TypeUrl: typeURL}
	by := map[string]*discovery.Resource{}
	removed := map[string]bool{}
	for len(by)+len(removed) < least {
		response, err := client.Receive()
		if err != nil {
			return nil, fmt.Errorf("after %d resources: %w", len(by), err)
		}
		if err := client.ACK(response.GetTypeUrl(), response.GetNonce()); err != nil {
			return nil, err
		}
		if response.GetTypeUrl() != typeURL {
			continue
		}
		for _, r := range response.GetResources() {
			by[r.GetName()] = r
		}
		for _, name := range response.GetRemovedResources() {
			removed[name] = true
		}
	}
	for _, r := range by {
		all.Resources = append(all.Resources, r)
	}
	return all, nil
}

// startLinear starts the peer with our server's own resources.
func (s *session) startLinear(ctx context.Context, f *fleet) (*child, error) {
	certificate, err := f.sign(leaf.ControlPlaneTemplate(harness.SystemNamespace, today()))
	if err != nil {
		return nil, err
	}
	c, err := startChild(ctx, "linear", LinearConfig{
		Address: linearAddress, Kubeconfig: s.kube.AdminKubeconfig,
		Certificate: certificate, Key: f.key, Roots: f.roots, Resources: f.resources,
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.next(ctx); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// connect starts clients in a process of their own, and waits until each has
// everything.
func (s *session) connect(ctx context.Context, f *fleet, p *peer, connected int, affected [3]int) ([]Figure, error) {
	config := ClientsConfig{
		Address: p.address, Roots: f.roots, Key: f.key,
		Certificates: f.certificates[:connected], IDs: f.ids[:connected],
		Clusters: f.counts[clusterType], Listeners: f.counts[listenerType],
		Routes: f.routes, Hot: map[string]int{},
	}
	// The Services that change belong to one of the peers each; the other
	// compiles their changes too, and has nobody to tell.
	for i := range pushServices {
		switch {
		case i >= p.hot && i < p.hot+len(affected):
			config.Hot[endpointsName(serviceName(i))] = affected[i-p.hot]
		case i >= 6:
			config.Endpoints = append(config.Endpoints, endpointsName(serviceName(i)))
		}
	}
	p.seen = map[string]*seen{}
	if err := settle(ctx, connected); err != nil {
		return nil, err
	}
	before, err := s.use(ctx, p)
	if err != nil {
		return nil, err
	}
	kept := s.profileCold(ctx, p, connected)
	start := time.Now()
	if p.clients, err = startChild(ctx, "clients", config); err != nil {
		return nil, err
	}
	for {
		event, err := p.clients.nextEvent(ctx)
		if err != nil {
			p.clients.stop()
			return nil, err
		}
		if event.Hot == "" {
			cpu, err := cpuOf(p.pid)
			if err != nil {
				return nil, err
			}
			if err := settle(ctx, connected); err != nil {
				return nil, err
			}
			after, err := s.use(ctx, p)
			if err != nil {
				return nil, err
			}
			after.cpu = cpu
			p.cold = coldStart{took: time.Unix(0, event.At).Sub(start), cpu: after.cpu - before.cpu}
			return connectedFigures(p, connected, event.Bytes, before, after), <-kept
		}
	}
}

// settled is how long after a burst of connections memory is read, since a Go
// process gives back late what it no longer needs.
const settled = 10 * time.Second

// settle waits that long where memory is going to be a figure.
func settle(ctx context.Context, connected int) error {
	if connected < pushProxies {
		return nil
	}
	select {
	case <-time.After(settled):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// use is what a peer's process has used.
type use struct {
	cpu       time.Duration
	rss, heap float64
}

func (s *session) use(ctx context.Context, p *peer) (u use, err error) {
	if u.cpu, err = cpuOf(p.pid); err != nil {
		return u, err
	}
	if u.rss, err = rssOf(p.pid); err != nil {
		return u, err
	}
	// The heap comes last: reading it collects garbage.
	if p.hot == 0 {
		u.heap, err = s.liveHeap(ctx)
	}
	return u, err
}

func connectedFigures(p *peer, connected int, bytes int64, before, after use) []Figure {
	if connected < pushProxies {
		return nil
	}
	n := float64(connected)
	complete := Figure{Name: fmt.Sprintf("%d proxies complete from cold, %s", connected, p.name), Value: p.cold.took.Seconds(), Unit: "s"}
	rss := Figure{Name: "resident memory a proxy, " + p.name, Value: (after.rss - before.rss) / n / 1024, Unit: "KiB"}
	figures := []Figure{complete, rss,
		{Name: "sent to a proxy from cold, " + p.name, Value: float64(bytes) / n / 1024, Unit: "KiB"},
		{Name: "processor time a proxy from cold, " + p.name, Value: milliseconds(p.cold.cpu) / n, Unit: "ms"}}
	if p.hot == 0 {
		figures[1].Aim, figures[3].Aim = atMost(150), atMost(4)
		figures = append(figures, Figure{Name: "live heap a proxy, " + p.name, Value: (after.heap - before.heap) / n / 1024, Unit: "KiB", Aim: atMost(100)})
	}
	return figures
}
