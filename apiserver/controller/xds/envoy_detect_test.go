//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestEnvoyDetectsTheProtocol calls a port that declares none: the callee is told
// by ALPN what travels, and a silent client gets through once it is taken for TCP.
func TestEnvoyDetectsTheProtocol(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	a := pod("a", "v1")
	port := freePort(t)
	h.start([]model.Proxy{a}, detected(t, port, teller(t, h))...)
	h.startEnvoy(a)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	waitFor(t, "an answer to HTTP/1.1", func() bool { return get("http://"+address+"/") == "200 mesh-http/1.1" })

	t.Run("HTTP/2 with prior knowledge", func(t *testing.T) {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		client := http.Client{Timeout: patience, Transport: &http.Transport{Protocols: protocols}}
		// Who sends nothing for 100 ms, for want of a processor, is taken for TCP.
		waitFor(t, "an answer to HTTP/2", func() bool {
			response, err := client.Get("http://" + address + "/")
			if err != nil {
				t.Log(err)
				return false
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || string(body) != "mesh-h2" {
				t.Errorf("the callee was told %q, %v", body, err)
			}
			return true
		})
	})
	for name, first := range map[string]string{"bytes that are no request": "\x00\x01\x02", "a client that is silent": ""} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			io.WriteString(c, first)
			greeting, err := bufio.NewReader(c).ReadString('\n')
			if err != nil || greeting != "mesh-tcp\n" {
				t.Errorf("the callee was told %q, %v", greeting, err)
			}
			if waited := time.Since(began); first == "" && waited < 90*time.Millisecond {
				t.Errorf("taken for TCP after %v: a request may still come", waited)
			}
		})
	}
}

// teller is a callee that answers with the ALPN that it is offered: requests as
// such, and a TCP connection by speaking first. Like ours it negotiates none.
func teller(t *testing.T, h *harness) string {
	return application(t, func(c net.Conn) { tell(c, h.ca.serverConfig(h).Certificates) })
}

func tell(c net.Conn, certificates []tls.Certificate) {
	var offered string
	server := tls.Server(c, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered = strings.Join(hello.SupportedProtos, ",")
		return &tls.Config{Certificates: certificates}, nil
	}})
	defer server.Close()
	if err := server.Handshake(); err != nil {
		return
	}
	if offered == sidecar.ALPNTCP {
		fmt.Fprintln(server, offered)
		io.Copy(io.Discard, server)
		return
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, offered) })
	(&http.Server{Handler: answer, Protocols: protocols}).Serve(&once{conn: server})
}

// once is a listener for a connection that is there.
type once struct{ conn net.Conn }

func (o *once) Accept() (net.Conn, error) {
	if o.conn == nil {
		select {}
	}
	c := plainConn{o.conn}
	o.conn = nil
	return c, nil
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

// plainConn hides that a connection is TLS, so that its protocol is told by
// its first bytes.
type plainConn struct{ net.Conn }

// detected are the real resources of a port without a protocol, at a port of
// the test's own, with the callee's certificate unverified.
func detected(t *testing.T, port uint32, callee string) []envoy.Resource {
	t.Helper()
	to := netip.MustParseAddrPort(callee)
	service := model.Service{
		Key:       model.ServiceKey{Namespace: "test", Name: "callee"},
		Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Ports: []model.ServicePort{{
			Number: uint16(port), Protocol: model.ProtocolDetect, Identities: []string{"spiffe://cluster.local/ns/test/sa/callee"},
			Endpoints: []model.Endpoint{{Address: to.Addr(), Port: to.Port()}},
		}},
	}
	resources, err := envoy.Service(service)
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := envoy.ServiceEndpoints(service)
	if err != nil {
		t.Fatal(err)
	}
	resources = append(resources, endpoints...)
	for i, r := range resources {
		m, err := r.Body.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *listenerv3.Listener:
			m.BindToPort = nil
		case *clusterv3.Cluster:
			m.TransportSocket = &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{
				TypedConfig: packed(t, &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
					AlpnProtocols: []string{sidecar.ALPNTCP},
					TlsParams:     &tlsv3.TlsParameters{TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
				}}),
			}}
		}
		resources[i] = encode(t, r.Name, r.View, m)
	}
	return resources
}
