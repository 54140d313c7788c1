//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoyKeepsConnectionsThroughARenewalOfTheRoot takes a real Envoy through the
// roots of a renewal: the old one, both, the new one. It verifies callers by what it
// has ACKed, and the connection from the beginning lives through all.
func TestEnvoyKeepsConnectionsThroughARenewalOfTheRoot(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	old, next := h.ca, newAuthority(t)
	a := pod("a", "v1")
	port := freePort(t)
	trust := func(roots ...*authority) []envoy.Resource {
		var bundle []byte
		for _, root := range roots {
			bundle = append(bundle, rootPEM(root)...)
		}
		common, err := envoy.Common(bundle)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range common {
			if r.Name == envoy.SecretRoots {
				return []envoy.Resource{r}
			}
		}
		t.Fatal("the common resources have no roots")
		return nil
	}
	h.start([]model.Proxy{a}, append(trust(old), clusterTo(t, "echo", echo(t)), verifyingListener(t, port, old))...)
	h.startEnvoy(a)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	ofOld, ofNext := old.leaf(t, "old", "caller", time.Hour), next.leaf(t, "next", "caller", time.Hour)
	admits := func(certificate tls.Certificate) bool {
		c := dialVerifying(address, certificate)
		if c != nil {
			c.Close()
		}
		return c != nil
	}
	waitFor(t, "a caller of the old root", func() bool { return admits(ofOld) })
	held := dialVerifying(address, ofOld)
	defer held.Close()
	if admits(ofNext) {
		t.Error("a caller of the next root is admitted before that is known")
	}

	h.Apply(Update{Set: trust(old, next)})
	waitFor(t, "the ACK of both", func() bool { return len(h.Lacking(rootPEM(next))) == 0 })
	if !admits(ofNext) || !admits(ofOld) {
		t.Error("once both are ACKed, a caller of one of them is refused")
	}
	h.Apply(Update{Set: trust(next)})
	waitFor(t, "the end of the old root", func() bool { return !admits(ofOld) })
	if !admits(ofNext) {
		t.Error("a caller of the root that is left is refused")
	}
	if !echoes(held) {
		t.Error("the connection from the beginning has ended")
	}
}

func rootPEM(a *authority) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// verifyingListener takes TCP from callers that the roots over ADS verify.
func verifyingListener(t *testing.T, port uint32, of *authority) envoy.Resource {
	t.Helper()
	leaf := of.leaf(t, "callee", "callee", time.Hour)
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	inline := func(kind string, der []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})}}
	}
	socketTLS := &tlsv3.DownstreamTlsContext{
		RequireClientCertificate: wrapperspb.Bool(true),
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
			TlsCertificates: []*tlsv3.TlsCertificate{{
				CertificateChain: inline("CERTIFICATE", leaf.Certificate[0]), PrivateKey: inline("PRIVATE KEY", key),
			}},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
				ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: envoy.SecretRoots, SdsConfig: overADS()},
			},
		},
	}
	socketTLS.SessionTicketKeysType = &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true}
	return encode(t, "verifying", "", &listenerv3.Listener{
		Name: "verifying", Address: socket("127.0.0.1", port),
		FilterChains: []*listenerv3.FilterChain{{
			TransportSocket: &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(t, socketTLS)}},
			Filters: []*listenerv3.Filter{{Name: "tcp", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, &tcpv3.TcpProxy{
				StatPrefix: "verifying", ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "echo"},
			})}}},
		}},
	})
}

// dialVerifying gives a connection that answers, nil if the caller is refused: in
// TLS 1.3 it learns that with its first read.
func dialVerifying(address string, certificate tls.Certificate) *tls.Conn {
	c, err := tls.Dial("tcp", address, &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil },
	})
	if err != nil {
		return nil
	}
	if !echoes(c) {
		c.Close()
		return nil
	}
	return c
}

func echoes(c *tls.Conn) bool {
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintln(c, "hello")
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.TrimSpace(line) == "hello"
}
