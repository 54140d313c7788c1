//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// pair is the caller's proxy and the callee's, two real Envoys with the filters,
// routes and clusters that they have in a pod, and mutual TLS between them. What
// the control plane delivers stands in their static configuration.
type pair struct {
	// caller is where the pod's own applications come out, outside where callers
	// without a proxy reach the workload, in plaintext; both are addresses.
	caller, outside string
	// out and in are the two proxies.
	out, in inboundEnvoy
}

// pairOptions are what the Service declares and who may call; by default
// HTTP/1.1 and any caller.
type pairOptions struct {
	mesh     model.Mesh
	protocol model.Protocol
	access   model.Access
}

// startPair runs both proxies before the application at this port of 127.0.0.1.
func startPair(t *testing.T, application uint16, o pairOptions) pair {
	t.Helper()
	if o.mesh.TrustDomain == "" {
		o.mesh = testMesh
	}
	if o.protocol == "" {
		o.protocol = model.ProtocolHTTP1
	}
	const account = "spiffe://cluster.local/ns/shop/sa/web"
	identity := newIdentity(t, account)
	p := pair{out: inboundEnvoy{output: &output{}}, in: inboundEnvoy{output: &output{}}}

	port := model.InboundPort{Number: envoytest.FreePort(t), Protocol: o.protocol, Access: o.access, Permissive: true}
	p.in.web = fmt.Sprintf("http://127.0.0.1:%d", port.Number)
	p.in.admin = fmt.Sprintf("127.0.0.1:%d", envoytest.FreePort(t))
	p.outside = fmt.Sprintf("127.0.0.1:%d", port.Number)
	p.in.run(t, calleesProxy(t, o, port, application, identity, p.in.admin))

	front := envoytest.FreePort(t)
	p.caller = fmt.Sprintf("127.0.0.1:%d", front)
	p.out.web = "http://" + p.caller
	p.out.admin = fmt.Sprintf("127.0.0.1:%d", envoytest.FreePort(t))
	p.out.run(t, callersProxy(t, o, front, port.Number, identity, account, p.out.admin))
	return p
}

func calleesProxy(t *testing.T, o pairOptions, port model.InboundPort, application uint16, identity identityPEM, admin string) *bootstrapv3.Bootstrap {
	t.Helper()
	w := model.Workload{View: "0123456789abcdef", Namespace: "shop", Ports: []model.InboundPort{port}}
	routes := &routev3.RouteConfiguration{}
	decode(t, must(inboundRoutes(o.mesh, w, port))(t), routes)
	to := &clusterv3.Cluster{}
	decode(t, must(applicationCluster(o.protocol))(t), to)
	inspector := listenerFilter("envoy.filters.listener.tls_inspector", &tlsinspectorv3.TlsInspector{})
	l := &listenerv3.Listener{Name: ListenerInbound, Address: socketAddress("127.0.0.1", port.Number), ListenerFilters: []*listenerv3.ListenerFilter{inspector}}
	l.FilterChains = append(l.FilterChains, httpChain(o.mesh, w, port))
	if o.protocol.IsHTTP() {
		l.FilterChains = append(l.FilterChains, plaintextChains(o.mesh, w, port, "1")...)
	}
	for _, c := range l.FilterChains {
		identity.inline(t, c.TransportSocket)
		withRoutes(t, c.Filters[0], routes)
		// In a pod this is where the redirection says that the connection was going.
		c.Filters = append([]*listenerv3.Filter{originallyTo(fmt.Sprintf("127.0.0.1:%d", application))}, c.Filters...)
	}
	return staticBootstrap(admin, to, l)
}

func callersProxy(t *testing.T, o pairOptions, front, callee uint16, identity identityPEM, account, admin string) *bootstrapv3.Bootstrap {
	t.Helper()
	s := model.ServiceKey{Namespace: "shop", Name: "web"}
	port := model.ServicePort{Number: 80, Protocol: o.protocol, Identities: []string{account}, Endpoints: []model.Endpoint{
		{Address: netip.MustParseAddr("127.0.0.1"), Port: callee},
	}}
	name := ServicePortName(s, port.Number)
	routes := &routev3.RouteConfiguration{}
	decode(t, must(routesTo(name))(t), routes)
	to := &clusterv3.Cluster{}
	decode(t, must(serviceCluster(s, port))(t), to)
	to.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	to.EdsClusterConfig = nil
	to.LoadAssignment = &endpointv3.ClusterLoadAssignment{}
	decode(t, must(serviceEndpoints(s, port))(t), to.LoadAssignment)
	identity.inline(t, to.TransportSocket)
	l := &listenerv3.Listener{Name: "out", Address: socketAddress("127.0.0.1", front), PerConnectionBufferLimitBytes: u32(bufferLimit)}
	if o.protocol == model.ProtocolDetect {
		detect(l, name)
	} else {
		l.FilterChains = []*listenerv3.FilterChain{serviceChain("out", name, port.Protocol)}
	}
	for _, c := range l.FilterChains {
		withRoutes(t, c.Filters[len(c.Filters)-1], routes)
	}
	return staticBootstrap(admin, to, l)
}

func staticBootstrap(admin string, to *clusterv3.Cluster, l *listenerv3.Listener) *bootstrapv3.Bootstrap {
	address := netip.MustParseAddrPort(admin)
	return &bootstrapv3.Bootstrap{
		Node:  &corev3.Node{Id: "pod", Cluster: "shop"},
		Admin: &bootstrapv3.Admin{Address: socketAddress(address.Addr().String(), address.Port())},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters:  []*clusterv3.Cluster{to},
			Listeners: []*listenerv3.Listener{l},
		},
	}
}

// originallyTo tells a cluster of type ORIGINAL_DST where a connection was going.
func originallyTo(address string) *listenerv3.Filter {
	const key = "envoy.network.transport_socket.original_dst_address"
	return networkFilter("envoy.filters.network.set_filter_state", &statev3.Config{OnNewConnection: []*commonstatev3.FilterStateValue{{
		Key: &commonstatev3.FilterStateValue_ObjectKey{ObjectKey: key},
		Value: &commonstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
			Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
				Specifier: &corev3.DataSource_InlineString{InlineString: address},
			}},
		}},
	}}})
}

// withRoutes gives a connection manager its routes.
func withRoutes(t *testing.T, filter *listenerv3.Filter, routes *routev3.RouteConfiguration) {
	t.Helper()
	manager := &hcmv3.HttpConnectionManager{}
	if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
		t.Fatal(err)
	}
	manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
	filter.ConfigType = networkFilter(filters.Manager, manager).ConfigType
}

func decode(t *testing.T, r Resource, into proto.Message) {
	t.Helper()
	if err := r.Body.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
}

func must(r Resource, err error) func(*testing.T) Resource {
	return func(t *testing.T) Resource {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// identityPEM is a certificate that is its own root, and its key.
type identityPEM struct{ chain, key []byte }

func newIdentity(t *testing.T, id string) identityPEM {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name, err := url.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), URIs: []*url.URL{name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return identityPEM{
		chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// inline puts certificate, key and roots where TLS would ask for them; the
// names that it accepts stay. A transport without TLS stays as well.
func (i identityPEM) inline(t *testing.T, socket *corev3.TransportSocket) {
	t.Helper()
	if socket == nil {
		return
	}
	context, err := socket.GetTypedConfig().UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	tls := context.(interface {
		GetCommonTlsContext() *tlsv3.CommonTlsContext
	}).GetCommonTlsContext()
	tls.TlsCertificateSdsSecretConfigs = nil
	tls.TlsCertificates = []*tlsv3.TlsCertificate{{CertificateChain: inlineBytes(i.chain), PrivateKey: inlineBytes(i.key)}}
	names := tls.GetCombinedValidationContext().GetDefaultValidationContext()
	names.TrustedCa = inlineBytes(i.chain)
	tls.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: names}
	socket.ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: pack(context)}
}

func inlineBytes(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
}
