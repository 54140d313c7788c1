//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoyRejectsOrDecodesEscapedSlashes: where a rule names paths they are rejected
// or decoded by MeshConfig, and decoded before a rule looks.
func TestEnvoyRejectsOrDecodesEscapedSlashes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		decode bool
		want   map[string]int
	}{
		"Reject": {false, map[string]int{"/books/1": 200, "/books%2f1": 400, "/books%2Fadmin": 400, "/books%5C1": 400}},
		"Decode": {true, map[string]int{"/books/1": 200, "/books%2f1": 200, "/books%2Fadmin": 403, "/books%5Cadmin": 400, "/books%2f..%2fsecrets": 400}},
	} {
		t.Run(name, func(t *testing.T) {
			e := startInbound(t, model.Mesh{TrustDomain: "cluster.local", DecodeSlashes: c.decode}, nil, shopAccess())
			for path, want := range c.want {
				if got := e.request(t, "GET "+path+" HTTP/1.1"); got != want {
					t.Errorf("%s: %d, want %d", path, got, want)
				}
			}
		})
	}
}

// TestEnvoyLimitsHeaders: the workload's proxy takes more than the caller's
// (TestEnvoyTakesWhatTheDocsPromise), and underscores in headers as without a mesh.
func TestEnvoyLimitsHeaders(t *testing.T) {
	t.Parallel()
	e := startInbound(t, testMesh, nil, model.Access{})
	many := func(n int) []string {
		var headers []string
		for i := range n {
			headers = append(headers, fmt.Sprintf("x-%d: 1", i))
		}
		return headers
	}
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"few":                   {many(10), http.StatusOK},
		"with an underscore":    {[]string{"x_team: books"}, http.StatusOK},
		"90":                    {many(90), http.StatusOK},
		"120":                   {many(120), http.StatusOK},
		"more than 128":         {many(128), http.StatusRequestHeaderFieldsTooLarge},
		"50 KiB":                {[]string{"x-long: " + strings.Repeat("a", 50<<10)}, http.StatusOK},
		"60 KiB":                {[]string{"x-long: " + strings.Repeat("a", 60<<10)}, http.StatusOK},
		"more than 64 KiB":      {[]string{"x-long: " + strings.Repeat("a", 64<<10)}, http.StatusRequestHeaderFieldsTooLarge},
		"more than 64 KiB, two": {[]string{"x-a: " + strings.Repeat("a", 33<<10), "x-b: " + strings.Repeat("a", 33<<10)}, http.StatusRequestHeaderFieldsTooLarge},
	} {
		if got := e.request(t, append([]string{"GET / HTTP/1.1"}, c.headers...)...); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// request sends these lines, which no client changes, and gives the status code.
func (e inboundEnvoy) request(t *testing.T, lines ...string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.web, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, strings.Join(append(lines, "host: shop", "connection: close", "", ""), "\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// TestEnvoyTakesTheOldestTLSThatMeshConfigNames: TLS 1.3; lower only if
// MeshConfig says.
func TestEnvoyTakesTheOldestTLSThatMeshConfigNames(t *testing.T) {
	t.Parallel()
	certificate, chain, key := selfSigned(t)
	for _, m := range []model.Mesh{{TLS12: false}, {TLS12: true}} {
		e := startTLS(t, m, chain, key)
		for _, version := range []uint16{tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
			want := version == tls.VersionTLS13 || m.TLS12 && version == tls.VersionTLS12
			conn, err := tls.Dial("tcp", e.tcp, &tls.Config{
				// What is asked is whether the proxy takes the version.
				InsecureSkipVerify: true, MinVersion: version, MaxVersion: version,
				Certificates: []tls.Certificate{certificate},
			})
			if err == nil {
				// In TLS 1.3 the client is done before the server has looked.
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				_, _ = io.WriteString(conn, "hello")
				_, err = io.ReadFull(conn, make([]byte, 5))
				conn.Close()
			}
			if (err == nil) != want {
				t.Errorf("TLS12 %v: %s: %v, want it taken: %v", m.TLS12, tls.VersionName(version), err, want)
			}
		}
	}
}

// startTLS runs an Envoy that echoes over the TLS of inbound chains. Whom its
// certificate names is not looked at.
func startTLS(t *testing.T, m model.Mesh, chain, key []byte) inboundEnvoy {
	t.Helper()
	inline := func(b []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
	}
	common := commonTLS()
	common.TlsCertificateSdsSecretConfigs = nil
	common.TlsCertificates = []*tlsv3.TlsCertificate{{CertificateChain: inline(chain), PrivateKey: inline(key)}}
	common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{
		ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(chain)},
	}
	port := envoytest.FreePort(t)
	e := inboundEnvoy{tcp: fmt.Sprintf("127.0.0.1:%d", port), output: &output{}}
	e.run(t, &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: "pod", Cluster: "shop"},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters: []*clusterv3.Cluster{staticCluster("echo", socketAddress("127.0.0.1", portOf(startEcho(t))))},
			Listeners: []*listenerv3.Listener{{
				Name: "tcp", Address: socketAddress("127.0.0.1", port),
				FilterChains: []*listenerv3.FilterChain{{
					TransportSocket: serverTLS(m, common),
					Filters:         []*listenerv3.Filter{networkFilter(filters.TCPProxy, tcpProxy("in/9090", "echo"))},
				}},
			}},
		},
	})
	return e
}

func selfSigned(t *testing.T) (certificate tls.Certificate, chain, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"pod"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if certificate, err = tls.X509KeyPair(chain, key); err != nil {
		t.Fatal(err)
	}
	return certificate, chain, key
}
