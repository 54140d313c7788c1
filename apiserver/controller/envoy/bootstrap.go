// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"path"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// clusterXDS is the control plane.
const clusterXDS = "xds"

// BootstrapParams is what the webhook knows about the pod and the control plane.
// Who the proxy is, Envoy is told by --service-node.
type BootstrapParams struct {
	// XDSHost and XDSPort are the control plane's: a DNS name or an IP address.
	XDSHost string
	XDSPort uint16
	// XDSServerName is the one DNS SAN that the control plane's certificate may
	// have: mesh-apiserver.<system namespace>.svc.
	XDSServerName string
	// Probes are the rewritten probes of the pod's containers.
	Probes []ProbeRoute
	// MemoryBytes is what the proxy's container may use; near it the proxy sheds
	// load. 0 leaves memory unwatched.
	MemoryBytes uint64
}

// Bootstrap makes what Envoy starts with, as JSON without white space.
func Bootstrap(p BootstrapParams) (string, error) {
	config, err := bootstrapConfig(p)
	if err != nil {
		return "", fmt.Errorf("make bootstrap: %w", err)
	}
	return compactJSON(config)
}

func bootstrapConfig(p BootstrapParams) (*bootstrapv3.Bootstrap, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	probes, err := probeClusters(p)
	if err != nil {
		return nil, err
	}
	return &bootstrapv3.Bootstrap{
		Admin: &bootstrapv3.Admin{Address: adminAddress()},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{
			AdsConfig: adsConfig(),
			LdsConfig: fromADS(),
			CdsConfig: fromADS(),
		},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters:  append([]*clusterv3.Cluster{xdsCluster(p), adminCluster()}, probes...),
			Listeners: []*listenerv3.Listener{probeListener(p), readinessListener(), prometheusListener()},
		},
		StatsConfig: statsConfig(),
		StatsSinks:  []*metricsv3.StatsSink{auditSink()},
		// How often a proxy pushes what its shadow rules have counted.
		StatsFlushInterval: dur(auditFlush),
		OverloadManager:    overloadManager(p),
		LayeredRuntime:     runtime(),
	}, nil
}

func (p BootstrapParams) check() error {
	switch {
	case p.XDSHost == "" || p.XDSPort == 0 || p.XDSServerName == "":
		return fmt.Errorf("control plane %q, port %d, name %q: all three are needed", p.XDSHost, p.XDSPort, p.XDSServerName)
	}
	return nil
}

// adsConfig asks for deltas, and comes back soon after the control plane was
// away: base and cap of the backoff, with Envoy's jitter.
func adsConfig() *corev3.ApiConfigSource {
	return &corev3.ApiConfigSource{
		ApiType:             corev3.ApiConfigSource_DELTA_GRPC,
		TransportApiVersion: corev3.ApiVersion_V3,
		GrpcServices: []*corev3.GrpcService{{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
				ClusterName: clusterXDS,
				RetryPolicy: &corev3.RetryPolicy{RetryBackOff: &corev3.BackoffStrategy{
					BaseInterval: dur(250 * time.Millisecond),
					MaxInterval:  dur(5 * time.Second),
				}},
			}},
		}},
	}
}

// xdsCluster shows the workload's certificate and accepts, of those that the
// published roots vouch for, the one with the control plane's DNS name.
func xdsCluster(p BootstrapParams) *clusterv3.Cluster {
	options := http2Options()
	options.ConnectionKeepalive = &corev3.KeepaliveSettings{Interval: dur(30 * time.Second), Timeout: dur(5 * time.Second)}
	tls := commonTLS("h2")
	tls.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{
		CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext: &tlsv3.CertificateValidationContext{
				MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
					SanType: tlsv3.SubjectAltNameMatcher_DNS,
					Matcher: exactly(p.XDSServerName),
				}},
			},
			ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{
				Name:      SecretControlPlaneRoots,
				SdsConfig: fromFile(sidecar.ControlPlaneRootsSDS),
			},
		},
	}
	c := staticCluster(clusterXDS, socketAddress(p.XDSHost, p.XDSPort))
	if !isIP(p.XDSHost) {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.DnsLookupFamily = clusterv3.Cluster_ALL
	}
	c.TypedExtensionProtocolOptions = http2Upstream(options)
	c.TransportSocket = tlsTransport(&tlsv3.UpstreamTlsContext{
		CommonTlsContext: tls,
		Sni:              p.XDSServerName,
		MaxSessionKeys:   u32(0),
	})
	return c
}

// identitySecret reads certificate chain and key from the kubelet's one file,
// so that they always belong together. The watched directory is the volume's:
// the kubelet replaces "..data" in it.
func identitySecret() *tlsv3.Secret {
	bundle := fileSource(sidecar.CredentialBundle)
	return &tlsv3.Secret{
		Name: SecretIdentity,
		Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: bundle,
			PrivateKey:       bundle,
			WatchedDirectory: watchedDirectory(sidecar.CredentialBundle),
		}},
	}
}

func controlPlaneRootsSecret() *tlsv3.Secret {
	return &tlsv3.Secret{
		Name: SecretControlPlaneRoots,
		Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:        fileSource(sidecar.ControlPlaneRoots),
			WatchedDirectory: watchedDirectory(sidecar.ControlPlaneRoots),
		}},
	}
}

func fileSource(name string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
}

func watchedDirectory(file string) *corev3.WatchedDirectory {
	return &corev3.WatchedDirectory{Path: path.Dir(file)}
}
