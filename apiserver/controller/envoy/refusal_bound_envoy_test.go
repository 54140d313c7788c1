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
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// maxRefusalLine is what a line of the log has at most, in bytes: its fields, each
// byte of a stranger's escaped as six.
const maxRefusalLine = 10 << 10

// TestEnvoyLogsNoFieldOfARefusalWithoutABound: what a stranger says of itself
// fills no log, be it in a certificate that nothing vouches for or in a request.
func TestEnvoyLogsNoFieldOfARefusalWithoutABound(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	e := startMutualTLS(t, ca, model.Access{Closed: true, ClosedBy: []string{"shop/readers"}})
	long := strings.Repeat("x", 60<<10)
	spiffe := func(path string) *url.URL { return &url.URL{Scheme: "spiffe", Host: "cluster.local", Path: path} }
	var many []*url.URL
	for i := range 600 {
		many = append(many, spiffe(fmt.Sprintf("/%d/%s", i, long[:100])))
	}
	for name, caller := range map[string]tls.Certificate{
		"vouched for by none, with one long name":      newAuthority(t).issue(t, spiffe("/"+long)),
		"vouched for by none, with many names":         newAuthority(t).issue(t, many...),
		"vouched for by none, with what is escaped":    newAuthority(t).issue(t, &url.URL{Opaque: "spiffe://" + strings.Repeat("%01\"", 15<<10)}),
		"of the mesh, with one long name, refused":     ca.issue(t, spiffe("/"+long)),
		"of the mesh, with many names, refused":        ca.issue(t, many...),
		"of the mesh, with the name of a pod, refused": ca.issue(t, spiffe("/ns/shop/sa/web")),
	} {
		t.Run(name, func(t *testing.T) {
			before := len(refusalsIn(e.output))
			conn, err := tls.Dial("tcp", e.tcp, &tls.Config{
				InsecureSkipVerify: true, ServerName: long[:250], NextProtos: []string{sidecar.ALPNTCP, long[:200]},
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &caller, nil },
			})
			if err == nil {
				_, _ = io.WriteString(conn, "hello")
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}
			eventually(t, "the refusal is logged", func() bool { return len(refusalsIn(e.output)) > before })
		})
	}
	pod := false
	for _, line := range refusalsIn(e.output) {
		pod = pod || line["caller"] == "spiffe://cluster.local/ns/shop/sa/web"
	}
	if !pod {
		t.Errorf("no line has the whole name of a pod's account:\n%s", e.output)
	}
	demandShortLines(t, e.output)

	web := startInbound(t, testMesh, nil, shopAccess())
	for name, request := range map[string]string{
		"path":       "GET /" + long[:50<<10] + " HTTP/1.1\r\nHost: shop\r\n\r\n",
		"host":       "GET / HTTP/1.1\r\nHost: " + long[:50<<10] + "\r\n\r\n",
		"request id": "GET / HTTP/1.1\r\nHost: shop\r\nX-Request-Id: " + long[:50<<10] + "\r\n\r\n",
	} {
		before := len(refusalsIn(web.output))
		conn, err := net.Dial("tcp", strings.TrimPrefix(web.web, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		conn.Close()
		if err != nil || answer.StatusCode != http.StatusForbidden {
			t.Fatalf("a long %s: %v, %v, want 403", name, answer, err)
		}
		eventually(t, "a long "+name+" is logged", func() bool { return len(refusalsIn(web.output)) > before })
	}
	demandShortLines(t, web.output)
}

// refusalsIn gives the lines of the log of refusals.
func refusalsIn(o *output) []map[string]string {
	var found []map[string]string
	for line := range strings.Lines(o.String()) {
		fields := map[string]string{}
		if json.Unmarshal([]byte(line), &fields) == nil {
			found = append(found, fields)
		}
	}
	return found
}

func demandShortLines(t *testing.T, o *output) {
	t.Helper()
	for line := range strings.Lines(o.String()) {
		if len(line) > maxRefusalLine {
			t.Errorf("a line has %d bytes, want %d at most: %.200s…", len(line), maxRefusalLine, line)
		}
	}
}

// startMutualTLS is startInbound with port 9090 alone, behind mutual TLS: who has no
// certificate of the authority is refused by the handshake.
func startMutualTLS(t *testing.T, ca authority, access model.Access) inboundEnvoy {
	t.Helper()
	server := ca.issue(t, &url.URL{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/shop/sa/server"})
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	common := commonTLS()
	common.TlsCertificateSdsSecretConfigs = nil
	common.TlsCertificates = []*tlsv3.TlsCertificate{{
		CertificateChain: inline(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate[0]})),
		PrivateKey:       inline(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	}}
	common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
		TrustedCa: inline(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.certificate.Raw})),
	}}
	tcp, admin := envoytest.FreePort(t), envoytest.FreePort(t)
	e := inboundEnvoy{tcp: fmt.Sprintf("127.0.0.1:%d", tcp), admin: fmt.Sprintf("127.0.0.1:%d", admin), output: &output{}}
	e.run(t, &bootstrapv3.Bootstrap{
		Node:           &corev3.Node{Id: "pod", Cluster: "shop"},
		Admin:          &bootstrapv3.Admin{Address: socketAddress("127.0.0.1", admin)},
		StatsConfig:    statsConfig(),
		LayeredRuntime: runtime(),
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters: []*clusterv3.Cluster{staticCluster("echo", socketAddress("127.0.0.1", portOf(startEcho(t))))},
			Listeners: []*listenerv3.Listener{{
				Name: "tcp", Address: socketAddress("127.0.0.1", tcp), AccessLog: refusedConnections(),
				ListenerFilters: []*listenerv3.ListenerFilter{listenerFilter("envoy.filters.listener.tls_inspector", &tlsinspectorv3.TlsInspector{})},
				FilterChains: []*listenerv3.FilterChain{{
					FilterChainMatch: transportMatch(0, "tls"), TransportSocket: serverTLS(testMesh, common), Filters: connectionFilters(t, testMesh, access),
				}},
			}},
		},
	})
	return e
}

func inline(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
}

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "roots"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key}
}

func (a authority) issue(t *testing.T, names ...*url.URL) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), URIs: names}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
