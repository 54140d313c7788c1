// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"maps"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
)

// patience is how long a test waits for what takes milliseconds.
const patience = time.Minute

// harness is a Server on loopback with an authority of its own.
type harness struct {
	testing.TB
	*Server
	address string
	ca      *authority
	// notices are the units of which the server has given notice.
	notices chan unit.ID
	// keys are what the resources of a view are, each of which is a unit here.
	keys map[string]map[envoy.Key]struct{}
	// stopServer stops the newest Server, and may be called again.
	stopServer func()
}

// newHarness serves until the test ends. The store is not ready yet.
func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{TB: t, ca: newAuthority(t), address: "127.0.0.1:0"}
	h.serve()
	return h
}

// serve starts a new Server, at the address of the one before.
func (h *harness) serve() {
	h.Helper()
	notices := make(chan unit.ID, 100_000)
	h.notices = notices
	h.keys = map[string]map[envoy.Key]struct{}{}
	h.Server = New(Options{Identify: identifyByName, Notify: func(id unit.ID) { notices <- id }})
	listener, err := net.Listen("tcp", h.address)
	if err != nil {
		h.Fatal(err)
	}
	h.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	server, config := h.Server, h.ca.serverConfig(h)
	go func() { done <- server.Serve(ctx, listener, config) }()
	h.stopServer = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.Errorf("Serve: %v", err)
		}
	})
	h.Cleanup(h.stopServer)
}

// identifyByName reads the test's certificates: the name is the pod, the unit its account.
func identifyByName(leaf *x509.Certificate) (Peer, error) {
	parts := strings.Split(leaf.Subject.CommonName, "/")
	if len(parts) != 3 {
		return Peer{}, fmt.Errorf("no pod in %q", leaf.Subject.CommonName)
	}
	return Peer{
		ID:             model.ProxyID{Namespace: parts[0], Pod: parts[1], UID: parts[2]},
		ServiceAccount: leaf.Subject.OrganizationalUnit[0],
	}, nil
}

// pod is a proxy in namespace "test", with account "default".
func pod(name, view string) model.Proxy {
	return model.Proxy{ID: model.ProxyID{Namespace: "test", Pod: name, UID: "uid-" + name}, ServiceAccount: "default", Views: []string{view, ""}}
}

// Apply makes the resources of each view those of one unit, if the update says
// nothing of units.
func (h *harness) Apply(u Update) {
	if u.Units == nil {
		u.Units = map[unit.ID][]envoy.Key{}
		for _, r := range u.Set {
			if h.keys[r.View] == nil {
				h.keys[r.View] = map[envoy.Key]struct{}{}
			}
			if _, known := h.keys[r.View][r.Key]; !known {
				h.keys[r.View][r.Key] = struct{}{}
				u.Units[unitOf(r.View)] = nil
			}
		}
		for _, key := range u.Remove {
			delete(h.keys[key.View], key)
			u.Units[unitOf(key.View)] = nil
		}
		for id := range u.Units {
			u.Units[id] = slices.Collect(maps.Keys(h.keys[id.Name]))
		}
	}
	h.Server.Apply(u)
}

func unitOf(view string) unit.ID { return unit.ID{Kind: "view", Name: view} }

// state is how far proxies are with the resources of a view. Who waits has a test
// of its own.
func (h *harness) state(view string) State {
	state := h.Units(unitOf(view))
	state.Waiting = nil
	return state
}

// start makes the server know these proxies and resources, and ready.
func (h *harness) start(proxies []model.Proxy, resources ...envoy.Resource) {
	h.Apply(Update{Set: resources, Proxies: proxies})
	h.SetReady()
}

// eventually waits until a condition on states holds; it is looked at whenever the
// server gives notice, and so holds that it does.
func (h *harness) eventually(what string, holds func() bool) {
	h.Helper()
	timeout := time.After(patience)
	for !holds() {
		select {
		case <-h.notices:
		case <-timeout:
			h.Fatalf("never: %s", what)
		}
	}
}

// waitFor polls a condition which nothing announces.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// client is one that a test steps through.
type client struct {
	*xdstest.Client
	t         testing.TB
	responses chan *discovery.DeltaDiscoveryResponse
	failed    chan error
}

// connect opens a stream as a pod and reads it.
func (h *harness) connect(p model.Proxy) *client {
	h.Helper()
	c := h.open(p.ID.String(), h.leafOf(p))
	go c.read()
	return c
}

// leafOf issues a certificate for a pod.
func (h *harness) leafOf(p model.Proxy) tls.Certificate {
	h.Helper()
	return h.ca.leaf(h, p.ID.String(), p.ServiceAccount, time.Hour)
}

// open opens a stream that nobody reads yet, as a node.
func (h *harness) open(node string, certificate tls.Certificate) *client {
	h.Helper()
	opened, err := xdstest.Connect(context.Background(), h.address, h.ca.clientConfig(certificate), node)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(opened.Close)
	return &client{Client: opened, t: h.TB, responses: make(chan *discovery.DeltaDiscoveryResponse, 1000), failed: make(chan error, 1)}
}

func (c *client) read() {
	for {
		r, err := c.Receive()
		if err != nil {
			c.failed <- err
			return
		}
		c.responses <- r
	}
}

func (c *client) send(r *discovery.DeltaDiscoveryRequest) {
	c.t.Helper()
	if err := c.Send(r); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *client) subscribe(k kind, names ...string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: k.typeURL(), ResourceNamesSubscribe: names})
}

func (c *client) ack(r *discovery.DeltaDiscoveryResponse) {
	c.t.Helper()
	if err := c.ACK(r.TypeUrl, r.Nonce); err != nil {
		c.t.Fatalf("ACK: %v", err)
	}
}

func (c *client) nack(r *discovery.DeltaDiscoveryResponse, message string) {
	c.t.Helper()
	if err := c.NACK(r.TypeUrl, r.Nonce, message); err != nil {
		c.t.Fatalf("NACK: %v", err)
	}
}

// next waits for the next response, whatever it is.
func (c *client) next() *discovery.DeltaDiscoveryResponse {
	c.t.Helper()
	select {
	case r := <-c.responses:
		return r
	case err := <-c.failed:
		c.t.Fatalf("the stream ended: %v", err)
	case <-time.After(patience):
		c.t.Fatal("no response")
	}
	return nil
}

// expect demands that the next response be exactly this, in the form of xdstest.Describe.
func (c *client) expect(want string) *discovery.DeltaDiscoveryResponse {
	c.t.Helper()
	r := c.next()
	if got := xdstest.Describe(r); got != want {
		c.t.Fatalf("the next response is\n\t%s\nwant\n\t%s", got, want)
	}
	return r
}

// expectAck is expect, and an ACK.
func (c *client) expectAck(want string) *discovery.DeltaDiscoveryResponse {
	c.t.Helper()
	r := c.expect(want)
	c.ack(r)
	return r
}

// ending waits for the stream's end.
func (c *client) ending() error {
	c.t.Helper()
	for {
		select {
		case err := <-c.failed:
			return err
		case <-c.responses:
		case <-time.After(patience):
			c.t.Fatal("the stream did not end")
		}
	}
}

// encoded makes a resource of a kind; note makes versions differ.
func encoded(t testing.TB, k kind, name, view, note string) envoy.Resource {
	t.Helper()
	messages := [kinds]proto.Message{
		clusters:  &clusterv3.Cluster{Name: name, AltStatName: note},
		endpoints: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{Locality: &corev3.Locality{Zone: note}}}},
		secrets:   &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: note}}}}},
		filters:   &corev3.TypedExtensionConfig{Name: name},
		listeners: &listenerv3.Listener{Name: name, StatPrefix: note},
		routes:    &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{{Name: note}}},
	}
	if k == filters {
		messages[k] = &corev3.TypedExtensionConfig{Name: name, TypedConfig: encoded(t, routes, note, "", note).Body}
	}
	r, err := envoy.Encode(name, view, messages[k])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// authority issues the test's certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate: certificate, key: key}
}

// leaf issues a certificate for a pod, or for the server on loopback.
func (a *authority) leaf(t testing.TB, name, account string, life time.Duration) tls.Certificate {
	t.Helper()
	return a.issue(t, called(name, account, life))
}

// called makes a certificate one of a pod, or of the server on loopback.
func called(name, account string, life time.Duration) func(*x509.Certificate) {
	return func(template *x509.Certificate) {
		template.Subject = pkix.Name{CommonName: name, OrganizationalUnit: []string{account}}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Second), time.Now().Add(life)
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
}

// issue makes a certificate for both ends of mTLS, but for what change does.
func (a *authority) issue(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return a.issueFor(t, key, change)
}

// issueFor is issue for a key that is there.
func (a *authority) issueFor(t testing.TB, key *ecdsa.PrivateKey, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (a *authority) serverConfig(t testing.TB) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{a.leaf(t, "server", "server", time.Hour)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.pool(), MinVersion: tls.VersionTLS13,
	}
}

func (a *authority) clientConfig(certificate tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: a.pool(), MinVersion: tls.VersionTLS13}
}
