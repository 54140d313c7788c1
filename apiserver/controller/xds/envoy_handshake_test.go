//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestEnvoyTakesNoHandshakeForMoreThanItProves calls the real inbound listener as
// no proxy does: with certificates, protocols and names of the caller's choice.
func TestEnvoyTakesNoHandshakeForMoreThanItProves(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	in := newInbound(t, h)
	for name, c := range map[string]struct {
		port    uint32
		change  func(*tls.Config)
		send    string
		want    string
		reaches bool
	}{
		"who may, as HTTP":                             {in.web, in.as("buyer", sidecar.ALPNHTTP1), books, "HTTP/1.1 200 OK", true},
		"who may, what he may not":                     {in.web, in.as("buyer", sidecar.ALPNHTTP1), admin, "HTTP/1.1 403 Forbidden", false},
		"who may, by HTTP/2's ALPN":                    {in.web, in.as("buyer", sidecar.ALPNHTTP2), admin, "HTTP/1.1 403 Forbidden", false},
		"a TCP connection to rules of HTTP":            {in.web, in.as("buyer", sidecar.ALPNTCP), books, "", false},
		"the same, offering HTTP behind it":            {in.web, in.as("buyer", sidecar.ALPNTCP, sidecar.ALPNHTTP1), admin, "", false},
		"HTTP before TCP":                              {in.web, in.as("buyer", sidecar.ALPNHTTP1, sidecar.ALPNTCP), admin, "HTTP/1.1 403 Forbidden", false},
		"anybody, at an open port":                     {in.open, in.with(sidecar.ALPNHTTP1, named("spiffe://cluster.local/ns/other/sa/other")), books, "HTTP/1.1 200 OK", true},
		"TCP where HTTP is denied":                     {in.open, in.as("buyer", sidecar.ALPNTCP), "", "", false},
		"who is admitted and denied, at a port of TCP": {in.tcp, in.as("denied", sidecar.ALPNTCP), "", "", false},
		"HTTP where it is denied":                      {in.open, in.as("buyer", sidecar.ALPNHTTP2), admin, "HTTP/1.1 403 Forbidden", false},
		"no ALPN":                                      {in.web, in.as("buyer"), books, "", false},
		"another ALPN":                                 {in.web, in.as("buyer", "http/1.1", "h2"), books, "", false},
		"an ALPN in capitals":                          {in.web, in.as("buyer", "MESH-TCP"), books, "", false},
		"HTTP at a port of TCP":                        {in.tcp, in.as("buyer", sidecar.ALPNHTTP1), books, "", false},
		"who may, at a port of TCP":                    {in.tcp, in.as("buyer", sidecar.ALPNTCP), "", "hello", true},
		"who may not, at a port of TCP":                {in.tcp, in.as("thief", sidecar.ALPNTCP), "", "", false},
		"who may not, in another's name":               {in.tcp, and(in.as("thief", sidecar.ALPNTCP), sni("buyer.test")), "", "", false},
		"no name":                                      {in.tcp, and(in.as("buyer", sidecar.ALPNTCP), sni("")), "", "hello", true},
		"TLS 1.2":                                      {in.tcp, and(in.as("buyer", sidecar.ALPNTCP), func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), "", "", false},
		"no certificate":                               {in.tcp, func(c *tls.Config) { c.NextProtos = []string{sidecar.ALPNTCP} }, "", "", false},
		"no certificate, as HTTP":                      {in.open, func(c *tls.Config) { c.NextProtos = []string{sidecar.ALPNHTTP1} }, books, "", false},
		"another trust domain":                         {in.open, in.with(sidecar.ALPNHTTP1, named("spiffe://other.local/ns/test/sa/buyer")), books, "", false},
		"a trust domain that begins the same":          {in.open, in.with(sidecar.ALPNHTTP1, named("spiffe://cluster.local.other/ns/test/sa/buyer")), books, "", false},
		"an identity that ends otherwise":              {in.tcp, in.with(sidecar.ALPNTCP, named("spiffe://cluster.local/ns/test/sa/buyer/more")), "", "", false},
		"the identity as a DNS name":                   {in.open, in.with(sidecar.ALPNHTTP1, func(c *x509.Certificate) { c.DNSNames = []string{"spiffe://cluster.local/ns/test/sa/buyer"} }), books, "", false},
		"the control plane's certificate":              {in.open, in.with(sidecar.ALPNHTTP1, func(c *x509.Certificate) { c.DNSNames = []string{sidecar.ControlPlaneName("mesh-system")} }), books, "", false},
		"a certificate that has expired":               {in.open, in.with(sidecar.ALPNHTTP1, and(named(buyerID), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) })), books, "", false},
		"a certificate that is not valid yet":          {in.open, in.with(sidecar.ALPNHTTP1, and(named(buyerID), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })), books, "", false},
		"a certificate for servers alone":              {in.open, in.with(sidecar.ALPNHTTP1, and(named(buyerID), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })), books, "", false},
		"a certificate of another root":                {in.open, by(t, newAuthority(t), sidecar.ALPNHTTP1, named(buyerID)), books, "", false},
		"a certificate that a workload's signed":       {in.open, in.byLeaf(t, buyerID), books, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			before := in.reached.Load()
			if got := in.call(t, c.port, c.change, c.send); got != c.want {
				t.Errorf("was answered %q, want %q", got, c.want)
			}
			if reached := in.reached.Load() > before; reached != c.reaches {
				t.Errorf("reached the application: %v, want %v", reached, c.reaches)
			}
		})
	}

	t.Run("HTTP/2 under the ALPN of HTTP/1.1", func(t *testing.T) {
		for path, want := range map[string]int{"/books": http.StatusOK, "/admin": http.StatusForbidden} {
			if got := in.http2(t, path, sidecar.ALPNHTTP1); got != want {
				t.Errorf("%s: %d, want %d", path, got, want)
			}
		}
	})
	t.Run("plaintext", func(t *testing.T) {
		for _, port := range []uint32{in.web, in.open, in.tcp} {
			c, err := net.Dial("tcp", address(port))
			if err != nil {
				t.Fatal(err)
			}
			if got := answer(t, c, books); got != "" {
				t.Errorf("was answered %q", got)
			}
		}
	})
	t.Run("a session from before a revocation", func(t *testing.T) {
		sessions := &countedSessions{ClientSessionCache: tls.NewLRUClientSessionCache(8)}
		resuming := and(in.as("buyer", sidecar.ALPNTCP), func(c *tls.Config) { c.ClientSessionCache = sessions })
		if got := in.call(t, in.tcp, resuming, ""); got != "hello" {
			t.Fatalf("was answered %q before", got)
		}
		if n := sessions.put.Load(); n > 0 {
			t.Errorf("was given %d tickets", n)
		}
		h.Apply(Update{Set: in.resources(t, "thief")})
		waitFor(t, "a refusal", func() bool { return in.call(t, in.tcp, resuming, "") == "" })
		waitFor(t, "the other's admission", func() bool { return in.call(t, in.tcp, in.as("thief", sidecar.ALPNTCP), "") == "hello" })
		if got := in.call(t, in.tcp, resuming, ""); got != "" {
			t.Errorf("was answered %q after", got)
		}
	})
}

const (
	buyerID = "spiffe://cluster.local/ns/test/sa/buyer"
	books   = "GET /books HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
	admin   = "GET /admin HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
)

// inbound is a real Envoy with the real inbound side of a pod.
type inbound struct {
	h *harness
	// web admits GET of /books, open denies /admin, tcp admits connections.
	web, open, tcp uint32
	// reached counts the requests and connections that came to the application.
	reached *atomic.Int64
	// certificate is the pod's own.
	certificate *tlsv3.TlsCertificate
	generations envoy.Generations
}

func newInbound(t *testing.T, h *harness) *inbound {
	in := &inbound{h: h, web: freePort(t), open: freePort(t), tcp: freePort(t), reached: &atomic.Int64{}, certificate: inline(t, h.ca.leaf(h, "shop", "shop", time.Hour))}
	a := pod("shop", "view")
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { in.reached.Add(1) }))
	t.Cleanup(server.Close)
	h.start([]model.Proxy{a}, append(in.resources(t, "buyer"),
		clusterTo(t, envoy.ClusterInboundHTTP1, server.Listener.Addr().String()), clusterTo(t, envoy.ClusterInboundTCP, greeter(t, in.reached)))...)
	h.startEnvoy(a)
	waitFor(t, "an answer", func() bool { return in.call(t, in.web, in.as("buyer", sidecar.ALPNHTTP1), books) != "" })
	return in
}

// resources are those of the workload, with an account whom its closed ports admit.
func (in *inbound) resources(t *testing.T, admitted string) []envoy.Resource {
	t.Helper()
	of := func(accounts ...string) []model.Source {
		source := model.Source{Authenticated: true}
		for _, a := range accounts {
			source.Principals = append(source.Principals, model.Principal{ID: "spiffe://cluster.local/ns/test/sa/" + a})
		}
		return []model.Source{source}
	}
	from := of("denied", admitted)
	match := func(path string) []model.Match {
		return []model.Match{{Kind: model.MatchHTTP, Methods: []string{"GET"}, Paths: []model.PathMatch{{Type: model.ValueExact, Value: path}}}}
	}
	m := model.Mesh{TrustDomain: "cluster.local", CertificateLifetime: time.Hour}
	w := model.Workload{View: "view", Namespace: "test", Ports: []model.InboundPort{
		{Number: uint16(in.web), Protocol: model.ProtocolHTTP1, Access: model.Access{Closed: true, Allow: []model.Rule{{Name: "test/web/0", From: from, To: match("/books")}}}},
		{Number: uint16(in.open), Protocol: model.ProtocolHTTP1, Access: model.Access{Deny: []model.Rule{{Name: "test/open/0", To: match("/admin")}}}},
		{Number: uint16(in.tcp), Protocol: model.ProtocolTCP, Access: model.Access{Closed: true, Allow: []model.Rule{{Name: "test/tcp/0", From: from, To: []model.Match{{Kind: model.MatchTCP}}}}, Deny: []model.Rule{{Name: "test/tcp/1", From: of("denied"), To: []model.Match{{Kind: model.MatchAny}}}}}},
		{Access: model.Access{Closed: true}},
	}}
	return in.resourcesOf(t, m, w)
}

// resourcesOf are those of a workload, at the ports themselves.
func (in *inbound) resourcesOf(t *testing.T, m model.Mesh, w model.Workload) []envoy.Resource {
	t.Helper()
	in.generations = envoy.NextGenerations(in.generations, w)
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: in.h.ca.certificate.Raw})
	resources, err := envoy.Workload(m, w, roots, in.generations)
	if err != nil {
		t.Fatal(err)
	}
	common, err := envoy.Common(roots)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range common {
		if r.Name == envoy.SecretRoots {
			resources = append(resources, r)
		}
	}
	for i, r := range resources {
		if r.Name == envoy.ListenerInbound {
			resources[i] = in.onLoopback(t, r)
		}
	}
	return resources
}

// onLoopback is the listener at the ports themselves, to which nothing is
// redirected here, and without the files of a pod.
func (in *inbound) onLoopback(t *testing.T, r envoy.Resource) envoy.Resource {
	t.Helper()
	l := &listenerv3.Listener{}
	if err := r.Body.UnmarshalTo(l); err != nil {
		t.Fatal(err)
	}
	l.AccessLog = nil
	l.Address, l.AdditionalAddresses = socket("127.0.0.1", in.web), nil
	for _, port := range []uint32{in.open, in.tcp} {
		l.AdditionalAddresses = append(l.AdditionalAddresses, &listenerv3.AdditionalAddress{Address: socket("127.0.0.1", port)})
	}
	for _, chain := range l.FilterChains {
		if chain.TransportSocket != nil {
			context := &tlsv3.DownstreamTlsContext{}
			if err := chain.TransportSocket.GetTypedConfig().UnmarshalTo(context); err != nil {
				t.Fatal(err)
			}
			context.CommonTlsContext.TlsCertificateSdsSecretConfigs = nil
			context.CommonTlsContext.TlsCertificates = []*tlsv3.TlsCertificate{in.certificate}
			chain.TransportSocket.ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: packed(t, context)}
		}
		for _, filter := range chain.Filters {
			manager := &hcmv3.HttpConnectionManager{}
			if !filter.GetTypedConfig().MessageIs(manager) {
				continue
			}
			if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
				t.Fatal(err)
			}
			manager.AccessLog = nil
			filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, manager)}
		}
	}
	return encode(t, r.Name, r.View, l)
}

// as calls with the certificate of an account.
func (in *inbound) as(account string, alpn ...string) func(*tls.Config) {
	return func(c *tls.Config) {
		c.NextProtos = alpn
		c.Certificates = []tls.Certificate{in.h.ca.issue(in.h, named("spiffe://cluster.local/ns/test/sa/"+account))}
	}
}

// with calls with a certificate of the mesh's root.
func (in *inbound) with(alpn string, change func(*x509.Certificate)) func(*tls.Config) {
	return by(in.h, in.h.ca, alpn, change)
}

// byLeaf calls with a certificate that is signed with a workload's.
func (in *inbound) byLeaf(t *testing.T, id string) func(*tls.Config) {
	leaf := in.h.ca.issue(t, named(buyerID))
	certificate, err := x509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pretender := &authority{certificate: certificate, key: leaf.PrivateKey.(*ecdsa.PrivateKey)}
	forged := pretender.issue(t, named(id))
	forged.Certificate = append(forged.Certificate, leaf.Certificate...)
	return func(c *tls.Config) {
		c.NextProtos = []string{sidecar.ALPNHTTP1}
		c.Certificates = []tls.Certificate{forged}
	}
}

func by(t testing.TB, ca *authority, alpn string, change func(*x509.Certificate)) func(*tls.Config) {
	certificate := ca.issue(t, change)
	return func(c *tls.Config) {
		c.NextProtos = []string{alpn}
		// Go would send none whose issuer the server does not name.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
}

func named(id string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.URIs = []*url.URL{{Scheme: "spiffe", Opaque: strings.TrimPrefix(id, "spiffe:")}}
	}
}

func sni(name string) func(*tls.Config) { return func(c *tls.Config) { c.ServerName = name } }

func and[T any](changes ...func(*T)) func(*T) {
	return func(v *T) {
		for _, change := range changes {
			change(v)
		}
	}
}

func inline(t *testing.T, c tls.Certificate) *tlsv3.TlsCertificate {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	source := func(kind string, der []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})}}
	}
	return &tlsv3.TlsCertificate{CertificateChain: source("CERTIFICATE", c.Certificate[0]), PrivateKey: source("PRIVATE KEY", key)}
}

// call gives the first line of the answer, "" if there is not a byte.
func (in *inbound) call(t *testing.T, port uint32, change func(*tls.Config), send string) string {
	t.Helper()
	c, err := in.dial(port, change)
	if err != nil {
		return ""
	}
	return answer(t, c, send)
}

func (in *inbound) dial(port uint32, change func(*tls.Config)) (net.Conn, error) {
	// Who is called is not what is asked here.
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "shop.test"}
	change(config)
	return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address(port), config)
}

func answer(t *testing.T, c net.Conn, send string) string {
	t.Helper()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// What is refused may be closed already.
	_, _ = io.WriteString(c, send)
	line, err := bufio.NewReader(c).ReadString('\n')
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("neither answered nor closed")
	}
	return strings.TrimSpace(line)
}

func (in *inbound) http2(t *testing.T, path, alpn string) int {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := http.Client{Timeout: patience, Transport: &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
		c, err := in.dial(in.web, in.as("buyer", alpn))
		return plainConn{c}, err
	}}}
	response, err := client.Get("http://shop" + path)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// greeter is an application that speaks first.
func greeter(t *testing.T, reached *atomic.Int64) string {
	return application(t, func(c net.Conn) {
		defer c.Close()
		reached.Add(1)
		io.WriteString(c, "hello\n")
		io.Copy(io.Discard, c)
	})
}

// countedSessions counts the sessions that a server gives.
type countedSessions struct {
	tls.ClientSessionCache
	put atomic.Int64
}

func (c *countedSessions) Put(key string, session *tls.ClientSessionState) {
	if session != nil {
		c.put.Add(1)
	}
	c.ClientSessionCache.Put(key, session)
}

func address(port uint32) string { return fmt.Sprintf("127.0.0.1:%d", port) }
